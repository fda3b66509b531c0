// Where what lies, below the root of the storage. Every part that comes from a client is one name, or
// names with slashes between them, and never leads anywhere else.
import { join } from "node:path";
import { GodwitError } from "../core/error.ts";

export type Scope = { readonly project: string; readonly domain: string };
export type ActionPlace = Scope & { readonly run: string; readonly action: string };
export type AttemptPlace = ActionPlace & { readonly attempt: number };

/** The files of one attempt, as Flyte's protocol names them. */
export type AttemptPaths = {
  /** What the protocol calls the output prefix: `outputs.pb` and `error.pb` lie in it. */
  readonly dir: string;
  readonly outputs: string;
  readonly error: string;
  readonly report: string;
  /** One file, made by the task. */
  readonly checkpoint: string;
  /** For the bytes of files, directories and tables that the task makes. */
  readonly raw: string;
};

/** What file systems take as one name. */
const maxNameBytes = 255;
/** Of an uploaded file's name, directories in it and all. */
const maxRelativeBytes = 1024;

export const uploadsOf = (root: string, { project, domain }: Scope): string =>
  join(root, "uploads", oneName(project, "project"), oneName(domain, "domain"));

export const inputsOfHash = (root: string, { project, domain }: Scope, hash: string): string =>
  join(root, "inputs", oneName(project, "project"), oneName(domain, "domain"), oneName(hash, "hash of the inputs"));

export const runBaseOf = (root: string, { project, domain, run }: Scope & { readonly run: string }): string =>
  join(root, "runs", oneName(project, "project"), oneName(domain, "domain"), oneName(run, "name of the run"));

export const actionDirOf = (root: string, place: ActionPlace): string =>
  join(runBaseOf(root, place), oneName(place.action, "name of the action"));

export function attemptPathsOf(root: string, place: AttemptPlace): AttemptPaths {
  const dir = join(actionDirOf(root, place), String(place.attempt));
  return {
    dir,
    outputs: join(dir, "outputs.pb"),
    error: join(dir, "error.pb"),
    report: join(dir, "report.html"),
    checkpoint: join(dir, "_flytecheckpoints"),
    raw: join(dir, "raw"),
  };
}

/** A path below some directory, part by part: `a/b.txt`. Throws `invalid_argument`; `what` says what it names. */
export function relativeName(path: string, what: string): string {
  if (Buffer.byteLength(path) > maxRelativeBytes)
    throw new GodwitError("invalid_argument", `The ${what} is longer than ${maxRelativeBytes} bytes.`);
  return path
    .split("/")
    .map((part) => oneName(part, what))
    .join("/");
}

function oneName(name: string, what: string): string {
  const isName =
    name !== "" && name !== "." && name !== ".." && !/[/\\\0]/.test(name) && Buffer.byteLength(name) <= maxNameBytes;
  if (isName) return name;
  const shown = JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name);
  throw new GodwitError(
    "invalid_argument",
    `${shown} cannot be the ${what}: a name of 1 to ${maxNameBytes} bytes without slashes was expected, and not "." or "..".`,
  );
}
