// Where in the user's own code something happened: the places of the current stack, and of an error's.
// Godwit's own frames, Node's and those of packages are not the user's.
import { dirname, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { getCallSites } from "node:util";
import type { SourceLocation } from "../core/task.ts";
import { isInPackage, sourcePath } from "./loaded-bundles.ts";

export type CallSite = SourceLocation;

/** All that Node gives. */
const maxFrames = 200;

/** The user's frames of the current stack, innermost first, in original source files. */
export function userCallSites(): readonly CallSite[] {
  return getCallSites(maxFrames, { sourceMap: true }).flatMap(
    ({ scriptName, lineNumber, columnNumber }) => userFrame(scriptName, lineNumber, columnNumber) ?? [],
  );
}

/** The first place in the user's code of an error's stack. */
export function locate(error: unknown): SourceLocation | null {
  if (!(error instanceof Error) || typeof error.stack !== "string") return null;
  // A message may quote another stack.
  const at = error.stack.indexOf(error.message);
  const frames = at === -1 ? error.stack : error.stack.slice(at + error.message.length);
  for (const line of frames.split("\n")) {
    const match = /^\s+at (?:.*? \()?(?:async )?((?:file:\/\/)?\/.*?):(\d+):(\d+)\)?$/.exec(line);
    const frame = match === null ? null : userFrame(match[1] ?? "", Number(match[2]), Number(match[3]));
    if (frame !== null) return frame;
  }
  return null;
}

function userFrame(script: string, line: number, column: number): SourceLocation | null {
  const file = sourcePath(script);
  return file === null || isOwn(file) || isInPackage(file) ? null : { file, line, column };
}

const ownDir = dirname(dirname(fileURLToPath(import.meta.url))) + sep;

/** Our tests, which lie beside our source, use Godwit as a user does. */
const isOwn = (file: string): boolean => file.startsWith(ownDir) && !/\.(test|suite)\.[jt]s$/.test(file);
