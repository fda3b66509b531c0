// Why a run failed, for the person who has to mend it: task, action, attempt, the line of their own
// source, and the part of the stack that is theirs.
import { readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Action, ActionError } from "../core/action.ts";
import type { Run } from "../core/run.ts";
import type { SourceLocation } from "../core/task.ts";
import { callText, shortAction } from "./call-text.ts";
import { type FrameView, frameLines } from "./code-frame.ts";
import { printable } from "./text.ts";

export type Failure = {
  readonly error: ActionError;
  /** Where it began. */
  readonly action: Action;
  /** Labels of those that called it, the root first. */
  readonly callers: readonly string[];
};

const maxStackLines = 12;
const maxQuotedBytes = 1_000_000;
const maxCallers = 8;

export type FailureView = FrameView & { readonly cwd: string };

export function failureLines(run: Run, failure: Failure, view: FailureView): readonly string[] {
  const { error, action, callers } = failure;
  const { cwd, paint } = view;
  const { location } = error;
  const attempt = error.origin?.attempt ?? action.attempt;
  const frames = userFrames(error.stack).map((frame) => frame.replaceAll(`${cwd}/`, ""));
  return [
    `${paint("red", "error:")} ${paint("bold", action.label)} failed: ${error.code}: ${error.message}`,
    `  task ${callText(action)}, action ${shortAction(action.name)}, attempt ${attempt}, run ${run.name}`,
    ...(callers.length === 0 ? [] : [`  called by ${callersText(callers)}`]),
    ...(location === null ? [] : [`  at ${locationText(location, run, cwd)}`]),
    ...(location === null ? [] : codeFrame(location, run, view)),
    ...(frames.length > 1 ? frames.map((frame) => paint("dim", `    ${frame}`)) : []),
    `  next: godwit logs ${run.name} ${shortAction(action.name)}`,
    `        godwit rerun ${run.name} --recover   (after mending it: keeps what has succeeded)`,
  ];
}

/** `main › sweep`; of a deep nesting the outermost and the innermost. */
function callersText(callers: readonly string[]): string {
  const names = callers.map(printable);
  const half = maxCallers / 2;
  const shown = names.length <= maxCallers ? names : [...names.slice(0, half), "…", ...names.slice(-half)];
  return shown.join(" › ");
}

export function locationText(location: SourceLocation, run: Run, cwd: string): string {
  const file = relative(cwd, resolve(run.source.projectDir, location.file));
  const shown = file.startsWith("../..") ? resolve(run.source.projectDir, location.file) : file;
  return `${shown}:${location.line}:${location.column}`;
}

/** The lines around the place, if the file is still what ran. */
export function codeFrame(location: SourceLocation, run: Run, view: FrameView): readonly string[] {
  const path = resolve(run.source.projectDir, location.file);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() !== true || found.mtimeMs > run.createdAtMs || found.size > maxQuotedBytes) return [];
  return ["", ...frameLines(readFileSync(path, "utf8"), location.line, location.column, view), ""];
}

/** The directory that has src/ or dist/ of Godwit itself. */
const packageDir = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const ownCode: readonly string[] = ["node:", "/node_modules/", join(packageDir, "src/"), join(packageDir, "dist/")];

/** `at fit (src/model.ts:3:2)` lines of the user's code. */
export function userFrames(stack: string | null): readonly string[] {
  if (stack === null) return [];
  return stack
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("at ") && !ownCode.some((part) => line.includes(part)))
    .filter((line) => line.includes(":"))
    .slice(0, maxStackLines);
}
