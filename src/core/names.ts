// Names: which are allowed, and how an action's name follows from what is called.
//
// R1  The same call, made again by the same parent, has the same name. That, and nothing else, is
//     how a parent that starts again finds what it already has.
// R2  A name does not depend on the run, the code's version or the machine, so that a recovering run
//     finds the results of the run it recovers.
import { GodwitError } from "./error.ts";
import { hashParts } from "./hash.ts";

export const rootName = "a0";

const labelPattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const namePattern = /^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/;

/** Run names are DNS labels: they become parts of host names, paths and pods. */
export const checkRunName = (name: string): string => checkLabel("run", name);

/** `what` says what it is the name of, for the error. */
export function checkLabel(what: string, name: string): string {
  if (!labelPattern.test(name)) {
    throw new GodwitError(
      "invalid_argument",
      `The ${what} name ${JSON.stringify(name)} is not allowed: use 1 to 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit.`,
    );
  }
  return name;
}

/** Names of tasks, environments, traces, conditions and named actions. `what` says which, for the error. */
export function checkName(what: string, name: unknown): string {
  if (typeof name !== "string" || !namePattern.test(name)) {
    throw new GodwitError(
      "invalid_argument",
      `The ${what} name ${JSON.stringify(name)} is not allowed: begin with a letter or underscore, then letters, digits, "_", "-" and ".", 100 at most.`,
    );
  }
  return name;
}

/** Letters and digits of a run name: 50 bits, so that a million runs collide with chance 1 in 2,000. */
export function newRunName(randomBytes: Uint8Array): string {
  let number = 0n;
  for (const byte of randomBytes.subarray(0, 10)) number = number * 256n + BigInt(byte);
  return `r${number.toString(36).padStart(16, "0").slice(-13)}`;
}

export type CallIdentity = {
  readonly parent: string;
  readonly type: "task" | "trace" | "condition";
  /** Task identity, trace name or condition name. */
  readonly identity: string;
  readonly inputsHash: string;
  /** Counts calls of one identity with one inputs hash inside one parent, from 0. */
  readonly sequence: number;
};

/** Letters that the names of one parent's calls have in common. */
export const siblingLetters = 4;

/**
 * 25 letters and digits (R1, R2). The first are the parent's, so that siblings, which are made and end
 * together, are neighbours wherever rows are found by name: in a run of millions that is what keeps it
 * from reading and writing a page for each. The rest has 108 bits: two calls of one run never meet.
 */
export function actionName(call: CallIdentity): string {
  const hex = hashParts(call.parent, call.type, call.identity, call.inputsHash, String(call.sequence));
  return lettersOf(call.parent) + lettersFrom(hex, 25 - siblingLetters);
}

const lettersFrom = (hex: string, count: number): string =>
  BigInt(`0x${hex}`).toString(36).padStart(50, "0").slice(-count);

// Calls come in rows of one parent's.
let lastParent = "";
let lastLetters = "";

function lettersOf(parent: string): string {
  if (parent !== lastParent || lastLetters === "") {
    lastLetters = lettersFrom(hashParts(parent), siblingLetters);
    lastParent = parent;
  }
  return lastLetters;
}

/** What makes a task the same task across versions of its code: its name and its interface. */
export const taskIdentity = (taskName: string, interfaceHash: string): string => hashParts(taskName, interfaceHash);

/** Up to three of `known` nearest to `wanted`, for "did you mean". */
export function nearest(wanted: string, known: Iterable<string>): readonly string[] {
  const limit = Math.max(2, Math.floor(wanted.length / 3));
  return [...known]
    .map((name) => ({ name, distance: editDistance(wanted.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= limit || name.toLowerCase().startsWith(wanted.toLowerCase()))
    .sort((a, b) => a.distance - b.distance || a.name.localeCompare(b.name))
    .slice(0, 3)
    .map(({ name }) => name);
}

/** A sentence to append to an error, or nothing. */
export function didYouMean(wanted: string, known: Iterable<string>): string {
  const names = nearest(wanted, known);
  return names.length === 0 ? "" : ` Did you mean ${names.map((name) => `"${name}"`).join(" or ")}?`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}
