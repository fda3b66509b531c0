// Where a command works: project directory, data directory, project and domain; from flags, then the
// environment, then what lies around.
import { existsSync, statSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Scope } from "../control/control.ts";
import { GodwitError } from "../core/error.ts";
import type { Io } from "./terminal.ts";

/** Flags that every command understands. */
export type CommonOptions = {
  readonly json?: boolean;
  readonly project?: string;
  readonly domain?: string;
  readonly dataDir?: string;
  /** A server, in place of this machine: its address, or empty for the usual one. */
  readonly remote?: string;
};

export const defaultProject = "default";
export const defaultDomain = "development";
export const dataDirName = ".godwit";

/** The nearest directory upwards that has a package.json; else the directory itself. */
export function projectDirOf(directory: string): string {
  for (let at = directory; ; at = dirname(at)) {
    if (existsSync(join(at, "package.json"))) return at;
    if (dirname(at) === at) return directory;
  }
}

export function dataDirOf(options: CommonOptions, io: Io, projectDir: string): string {
  const given = options.dataDir ?? nonEmpty(io.env.GODWIT_DATA_DIR);
  return given === undefined ? join(projectDir, dataDirName) : resolve(io.cwd, given);
}

export function scopeOf(options: CommonOptions, io: Io): Scope {
  return {
    project: options.project ?? nonEmpty(io.env.GODWIT_PROJECT) ?? defaultProject,
    domain: options.domain ?? nonEmpty(io.env.GODWIT_DOMAIN) ?? defaultDomain,
    caller: userName(io),
  };
}

const nonEmpty = (text: string | undefined): string | undefined => (text === "" ? undefined : text);

export function userName(io: Io): string {
  try {
    return userInfo().username;
  } catch {
    // A container may run under a number that no user has.
    return nonEmpty(io.env.USER) ?? "unknown";
  }
}

/** The data directory of a command that only reads: one that is not there is not made. */
export function existingDataDir(options: CommonOptions, io: Io): string {
  const dataDir = dataDirOf(options, io, projectDirOf(io.cwd));
  if (isDirectory(dataDir)) return dataDir;
  if (existsSync(dataDir)) {
    throw new GodwitError(
      "not_found",
      `${dataDir} is a file, not a data directory. Name the directory with --data-dir.`,
    );
  }
  throw new GodwitError(
    "not_found",
    `There is no data directory ${dataDir}: nothing has run here yet.\nStart a run with \`godwit run FILE\`, change to its project, or name the directory with --data-dir.`,
  );
}

const isDirectory = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** A file of tasks, as an absolute path. */
export function sourceFile(file: string, io: Io): string {
  const path = resolve(io.cwd, file);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFile() === true) return path;
  const what = found === undefined ? "There is no file" : "This is not a file:";
  throw new GodwitError(
    "not_found",
    `${what} ${path}\nName the TypeScript or JavaScript file that has the tasks: godwit run pipeline.ts`,
  );
}
