// Why a run failed, for the person who has to mend it: task, action, attempt, the line of their own
// source, and the part of the stack that is theirs.
import { readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Action, ActionError } from "../core/action.ts";
import type { Run } from "../core/run.ts";
import type { SourceLocation } from "../core/task.ts";
import type { Paint } from "./terminal.ts";
import { shortAction } from "./tree-lines.ts";

export type Failure = { readonly error: ActionError; readonly action: Action };

const maxStackLines = 12;
const linesAround = 2;
const maxLineLength = 90;

export function failureLines(run: Run, failure: Failure, cwd: string, paint: Paint): readonly string[] {
  const { error, action } = failure;
  const { location } = error;
  const attempt = error.origin?.attempt ?? action.attempt;
  const frames = userFrames(error.stack).map((frame) => frame.replaceAll(`${cwd}/`, ""));
  return [
    `${paint("red", "error:")} ${paint("bold", action.label)} failed: ${error.code}: ${error.message}`,
    `  task ${action.label}, action ${shortAction(action.name)}, attempt ${attempt}, run ${run.name}`,
    ...(location === null ? [] : [`  at ${locationText(location, run, cwd)}`]),
    ...(location === null ? [] : codeFrame(location, run, paint)),
    ...(frames.length > 1 ? frames.map((frame) => paint("dim", `    ${frame}`)) : []),
    `  next: godwit logs ${run.name} ${shortAction(action.name)}`,
    `        godwit rerun ${run.name} --recover   (after mending it: keeps what has succeeded)`,
  ];
}

export function locationText(location: SourceLocation, run: Run, cwd: string): string {
  const file = relative(cwd, resolve(run.source.projectDir, location.file));
  const shown = file.startsWith("../..") ? resolve(run.source.projectDir, location.file) : file;
  return `${shown}:${location.line}:${location.column}`;
}

/** The lines around the place, if the file is still what ran. */
export function codeFrame(location: SourceLocation, run: Run, paint: Paint): readonly string[] {
  const path = resolve(run.source.projectDir, location.file);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() !== true || found.mtimeMs > run.createdAtMs || found.size > 1_000_000) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  const first = Math.max(1, location.line - linesAround);
  const last = Math.min(lines.length, location.line + linesAround);
  const width = String(last).length;
  const frame: string[] = [""];
  for (let number = first; number <= last; number++) {
    const text = (lines[number - 1] ?? "").replaceAll("\t", "  ").slice(0, maxLineLength);
    const gutter = `${String(number).padStart(width)} │ `;
    const isIt = number === location.line;
    frame.push(isIt ? `  ${paint("red", ">")} ${gutter}${text}` : paint("dim", `    ${gutter}${text}`));
    if (isIt)
      frame.push(
        `    ${" ".repeat(width)} │ ${" ".repeat(Math.max(0, column(lines[number - 1] ?? "", location.column)))}${paint("red", "^")}`,
      );
  }
  frame.push("");
  return frame;
}

/** Tabs are shown two wide. */
const column = (line: string, oneBased: number): number =>
  [...line.slice(0, oneBased - 1)].reduce((sum, character) => sum + (character === "\t" ? 2 : 1), 0);

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
