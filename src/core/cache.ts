// What a task's result depends on, as a key; and how two keys differ.
//
// R1  A key covers the task's name, its interface, its code (or the user's version), what it runs
//     with, and its inputs by content. What cannot be covered gives no key, and no key means no cache.
// R2  Keys of one project and domain are never found from another.
import { canonicalJson, hashParts } from "./hash.ts";
import { interfaceHash, type TaskSpec } from "./task.ts";
import { hashLiteral, type Literals, type Payload } from "./value.ts";

/** Hash by input name; ignored inputs are left out. */
export type InputHashes = { readonly [input: string]: string };

/** The parts of a key, by a name that people understand. Equal parts, equal key. */
export type KeyParts = { readonly [part: string]: string };

export type CacheEntry = {
  readonly key: string;
  readonly project: string;
  readonly domain: string;
  readonly task: string;
  readonly run: number;
  readonly runName: string;
  readonly action: string;
  /** Digest of the TaskSpec that made it. */
  readonly spec: string;
  readonly inputHashes: InputHashes;
  readonly outputs: Payload;
  readonly createdAtMs: number;
};

/** Who computes the result for a key right now; others with that key wait. */
export type Reservation = { readonly key: string; readonly run: number; readonly action: string };

export const hashInputs = (inputs: Literals): InputHashes =>
  Object.fromEntries(Object.entries(inputs).map(([name, literal]) => [name, hashLiteral(literal)]));

export const ignoredInputs = (spec: TaskSpec): readonly string[] =>
  spec.cache.type === "off" ? [] : spec.cache.ignoredInputs;

/** Whether it is too old for what the task asks for. */
export function isStale(
  { createdAtMs }: Pick<CacheEntry, "createdAtMs">,
  { cache }: Pick<TaskSpec, "cache">,
  nowMs: number,
): boolean {
  return cache.type === "version" && cache.maxAgeMs !== undefined && nowMs - createdAtMs > cache.maxAgeMs;
}

/** Why a task has no key, in words, or null if it has one. */
export function unkeyedReason(spec: TaskSpec): string | null {
  if (spec.cache.type === "off") return "the task is not cached";
  if (spec.cache.type === "auto" && spec.code.type === "unknown")
    return `its code cannot be identified: ${spec.code.reason}`;
  return null;
}

/** R1; null if there is no key. */
export function keyParts(spec: TaskSpec, inputs: InputHashes): KeyParts | null {
  if (unkeyedReason(spec) !== null) return null;
  const parts: Record<string, string> = {
    task: spec.name,
    interface: interfaceHash(spec.interface),
    "environment variables": canonicalJson(spec.env),
  };
  if (spec.cache.type === "version") {
    parts.version = spec.cache.version;
    // Its command is its code, what it runs with is not.
    if (spec.target.type === "shell") parts["the command's environment variables"] = canonicalJson(spec.target.env);
  }
  if (spec.cache.type === "auto") {
    if (spec.target.type === "shell") parts.command = canonicalJson(spec.target);
    if (spec.code.type === "known") {
      for (const [path, hash] of Object.entries(spec.code.modules)) parts[`code ${path}`] = hash;
      for (const [name, version] of Object.entries(spec.code.packages)) parts[`package ${name}`] = version;
    }
  }
  const ignored = ignoredInputs(spec);
  for (const [name, hash] of Object.entries(inputs)) {
    if (!ignored.includes(name)) parts[`input ${name}`] = hash;
  }
  return parts;
}

/** R1, R2. The hash of the scope and of the parts as canonical JSON. */
export function cacheKey(
  scope: { project: string; domain: string },
  spec: TaskSpec,
  inputs: InputHashes,
): string | null {
  const frame = frameOf(spec);
  if (frame === null) return null;
  const members: string[] = [];
  for (const name of Object.keys(inputs).sort())
    if (!frame.ignored.has(name)) members.push(memberText(`input ${name}`, inputs[name] as string));
  return hashParts(scope.project, scope.domain, `{${[...frame.before, ...members, ...frame.after].join(",")}}`);
}

/** What of a key's text is the same for all calls of a task: what sorts before its inputs, and what behind. */
type Frame = {
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly ignored: ReadonlySet<string>;
};

const frames = new WeakMap<TaskSpec, Frame | null>();

function frameOf(spec: TaskSpec): Frame | null {
  const known = frames.get(spec);
  if (known !== undefined) return known;
  const parts = keyParts(spec, {});
  const names = Object.keys(parts ?? {}).sort();
  const textOf = (name: string): string => memberText(name, (parts as KeyParts)[name] as string);
  const frame = parts && {
    before: names.filter((name) => name < "input ").map(textOf),
    after: names.filter((name) => name > "input ").map(textOf),
    ignored: new Set(ignoredInputs(spec)),
  };
  frames.set(spec, frame);
  return frame;
}

const memberText = (name: string, value: string): string => `${JSON.stringify(name)}:${JSON.stringify(value)}`;

export type PartDifference = { readonly part: string; readonly entry: string | null; readonly now: string | null };

/** Parts that are not the same in both, by name. */
export function differences(entry: KeyParts, now: KeyParts): readonly PartDifference[] {
  return [...new Set([...Object.keys(entry), ...Object.keys(now)])]
    .filter((part) => entry[part] !== now[part])
    .sort()
    .map((part) => ({ part, entry: entry[part] ?? null, now: now[part] ?? null }));
}
