// What is wrong with the user's code, in the user's words: the file, the place, the line itself, and
// what to do. What the bundler says of itself is not shown.
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, extname, join, relative } from "node:path";
import type { Position } from "../core/code-graph.ts";
import { GodwitError } from "../core/error.ts";
import { nearest } from "../core/names.ts";

export type Spot = { readonly path: string; readonly text: string; readonly position: Position };

/** `what` at a place in a file, with the line and a mark below it. */
export function errorAt(spot: Spot, what: string, next: string | null = null): GodwitError {
  const { position } = spot;
  const hint = next === null ? "" : `\n${next}`;
  return new GodwitError(
    "invalid_argument",
    `${spot.path}:${position[0]}:${position[1]}: ${what}\n${excerpt(spot.text, position)}${hint}`,
  );
}

export function missingFile(path: string, projectDir: string): GodwitError {
  const shown = relative(projectDir, path);
  const near = fileNear(path);
  const hint =
    near === null ? "Give the path of a TypeScript or JavaScript file." : `Did you mean ${relative(projectDir, near)}?`;
  return new GodwitError(
    "invalid_argument",
    `There is no file ${shown === "" || shown.startsWith("..") ? path : shown}. ${hint}`,
  );
}

export function unresolved(spot: Spot, specifier: string, projectDir: string): GodwitError {
  if (/^\.{0,2}\//.test(specifier)) {
    const target = join(dirname(join(projectDir, spot.path)), specifier);
    const near = fileNear(target);
    const found = near === null ? null : relative(dirname(join(projectDir, spot.path)), near);
    const hint =
      found === null
        ? "Correct the path, or create the file."
        : `Did you mean "${found.startsWith(".") ? found : `./${found}`}"?`;
    return errorAt(spot, `Cannot find "${specifier}": there is no file ${relative(projectDir, target)}.`, hint);
  }
  if (specifier.startsWith("#"))
    return errorAt(spot, `Cannot find "${specifier}".`, `Add it to "imports" in package.json.`);
  const name = packageName(specifier);
  if (specifier !== name && isInstalled(name, dirname(join(projectDir, spot.path))))
    return errorAt(
      spot,
      `Cannot find "${specifier}": the package "${name}" has no such entry.`,
      `Its package.json lists what can be imported, as "exports".`,
    );
  return errorAt(
    spot,
    `Cannot find package "${name}"${specifier === name ? "" : ` (imported as "${specifier}")`}.`,
    `Install it in ${projectDir}: npm install ${name}. If it is a path alias, add it to "paths" in tsconfig.json.`,
  );
}

/** `@scope/name` or `name`, without the path in it. */
export const packageName = (specifier: string): string =>
  specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

/** Whether Node would find the package from there. */
export function isInstalled(name: string, directory: string): boolean {
  if (existsSync(join(directory, "node_modules", name))) return true;
  return dirname(directory) !== directory && isInstalled(name, dirname(directory));
}

/** One error of Rolldown's. */
export type BundlerProblem = {
  readonly code?: string | undefined;
  readonly message: string;
  readonly id?: string | undefined;
  /** The column is counted from 0. */
  readonly loc?: { readonly line: number; readonly column: number } | undefined;
};

/** Of several, the first that has a place in the user's code. */
export function bundlerError(
  problems: readonly BundlerProblem[],
  projectDir: string,
  textOf: (file: string) => string | null,
  cause: unknown,
): GodwitError {
  for (const { id, loc, message } of problems) {
    const text = id === undefined ? null : textOf(id);
    if (id === undefined || text === null || loc === undefined) continue;
    const help = /Help: ([^\n]*?)\s*$/m.exec(message)?.[1] ?? null;
    return errorAt(
      { path: relative(projectDir, id), text, position: [loc.line, loc.column + 1] },
      summary(message),
      help,
    );
  }
  const [first] = problems;
  const what = first === undefined ? String(cause) : summary(first.message);
  return new GodwitError("invalid_argument", `The code cannot be bundled: ${what}`, { cause });
}

/** The first line without the bundler's own code for it. */
const summary = (message: string): string => {
  const [line = ""] = message.split("\n");
  const plain = line.replace(/^\[[A-Z_]+\]\s*/, "").trim();
  return /[.!?]$/.test(plain) ? plain : `${plain}.`;
};

/** Wider lines are shown around the place only. */
const maxLineLength = 160;

function excerpt(text: string, [line, column]: Position): string {
  const whole = (text.split("\n")[line - 1] ?? "").trimEnd();
  const from = whole.length > maxLineLength ? Math.max(0, column - 1 - maxLineLength / 2) : 0;
  const shown = whole.slice(from, from + maxLineLength);
  const number = `  ${line} | `;
  const blank = shown.slice(0, column - 1 - from).replace(/[^\t]/g, " ");
  return `${number}${shown}\n${" ".repeat(number.length)}${blank}^`;
}

/** A file in the same directory whose name is nearly that, extension aside. */
function fileNear(path: string): string | null {
  const directory = dirname(path);
  let names: readonly string[];
  try {
    names = readdirSync(directory).filter((name) => sourceExtensions.includes(extname(name)));
  } catch {
    // No such directory: there is nothing near.
    return null;
  }
  const stem = (name: string): string => basename(name, extname(name));
  const found =
    names.find((name) => stem(name) === stem(path) || stem(name) === basename(path)) ??
    nearest(basename(path), names)[0];
  return found === undefined ? null : join(directory, found);
}

export const sourceExtensions: readonly string[] = [
  ".ts",
  ".tsx",
  ".mts",
  ".cts",
  ".js",
  ".jsx",
  ".mjs",
  ".cjs",
  ".json",
];
