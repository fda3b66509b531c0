// What differs between two specs of one task, in a reader's order and words: for whoever deploys other
// content under a version that is taken.
import { canonicalJson } from "./hash.ts";
import { byteText, cpuText } from "./quantities.ts";
import type { TaskSpec } from "./task.ts";
import type { LiteralType, Variable } from "./value.ts";

/** `before` or `after` is null where there is nothing. */
export type SpecDifference = { readonly what: string; readonly before: string | null; readonly after: string | null };

/** Characters of a value that are shown; of a longer one so many of its beginning, and of its end. */
const maxText = 100;
const [headText, tailText] = [35, 60];

export function specDifferences(before: TaskSpec, after: TaskSpec): readonly SpecDifference[] {
  const [old, now] = [partsOf(before), partsOf(after)];
  const found: SpecDifference[] = [];
  for (const what of new Set([...now.keys(), ...old.keys()])) {
    const [was, is] = [old.get(what) ?? null, now.get(what) ?? null];
    if (was !== is) found.push({ what, before: was, after: is });
  }
  if (found.length > 0 || canonicalJson(before) === canonicalJson(after)) return found;
  // Of another SDK's task the message has more than is looked at here.
  return [{ what: "other parts of its definition", before: "as deployed", after: "different" }];
}

/** A line each, of so many at most. */
export function differenceText(differences: readonly SpecDifference[], maxLines = 20): string {
  const lines = differences
    .slice(0, maxLines)
    .map(({ what, before, after }) => `  ${what}: ${short(before)} → ${short(after)}`);
  const left = differences.length - lines.length;
  return [...lines, ...(left > 0 ? [`  and ${left} more`] : [])].join("\n");
}

function short(text: string | null): string {
  if (text === null) return "nothing";
  return text.length > maxText ? `${text.slice(0, headText)}…${text.slice(-tailText)}` : text;
}

type Parts = Map<string, string>;

/** In the order in which they are told. */
function partsOf(spec: TaskSpec): Parts {
  const { interface: types, target, resources, env, code, location, ...rest } = spec;
  const parts: Parts = new Map();
  for (const variable of types.inputs) addVariable(parts, "input", variable);
  for (const variable of types.outputs) addVariable(parts, "output", variable);
  addTarget(parts, target);
  const { cpuMillis, memoryBytes, diskBytes, ...others } = resources;
  parts.set("cpu", cpuText(cpuMillis));
  if (memoryBytes !== null) parts.set("memory", byteText(memoryBytes));
  if (diskBytes !== undefined) parts.set("disk", byteText(diskBytes));
  add(parts, "resources", others);
  addEach(parts, "environment variable", env);
  add(parts, "", rest);
  // Unpacked from a bundle, a file lies where this server put that one, which its digest has told already.
  const isBundled = target.type === "typescript" && target.bundle !== undefined;
  if (!isBundled) add(parts, "location", location);
  if (code.type === "known") {
    addEach(parts, "package", code.packages);
    addEach(parts, "code of", code.modules);
  }
  return parts;
}

function addVariable(parts: Parts, kind: string, variable: Variable): void {
  const { name, type, required, description, defaultText } = variable;
  parts.set(`${kind} ${name}`, `${typeText(type)}${required ? "" : `, default ${defaultText ?? "of its own"}`}`);
  add(parts, `${kind} ${name}, description`, description);
}

const typeText = (type: LiteralType): string => (type.type === "simple" ? type.simple : canonicalJson(type));

function addTarget(parts: Parts, target: TaskSpec["target"]): void {
  switch (target.type) {
    case "typescript":
      if (target.bundle !== undefined) parts.set("code bundle", target.bundle.digest);
      return;
    case "shell":
      parts.set("command", canonicalJson(target.command));
      addEach(parts, "environment variable", target.env);
      return;
    case "container":
      parts.set("image", target.image);
      parts.set("task type", target.taskType);
      if (target.command.length > 0) parts.set("command", target.command.join(" "));
      addArguments(parts, target.args);
      addEach(parts, "environment variable", target.env);
      return;
    case "sleep":
      parts.set("task type", "core-sleep");
      return;
  }
}

/** The flags with which Flyte's clients say where the code is. */
const bundleFlags = ["--tgz", "--pkl"];

function addArguments(parts: Parts, args: readonly string[]): void {
  let places = 0;
  for (let at = 0; at < args.length; at++) {
    const word = args[at] as string;
    const value = args[at + 1];
    if (!word.startsWith("--") || value === undefined || value.startsWith("--")) {
      parts.set(`argument ${++places}`, word);
      continue;
    }
    parts.set(bundleFlags.includes(word) ? "code bundle" : `argument ${word}`, value);
    at++;
  }
}

function addEach(parts: Parts, kind: string, values: { readonly [name: string]: string }): void {
  for (const name of Object.keys(values).sort()) parts.set(`${kind} ${name}`, values[name] as string);
}

/** Whatever there is, by its path; lists as a whole. */
function add(parts: Parts, path: string, value: unknown): void {
  if (value === undefined || value === null) return;
  if (typeof value !== "object" || Array.isArray(value)) {
    parts.set(path, typeof value === "string" ? value : canonicalJson(value));
    return;
  }
  for (const [key, member] of Object.entries(value)) add(parts, path === "" ? key : `${path}.${key}`, member);
}
