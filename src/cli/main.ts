// The door of the command line: arguments in, exit code out. Only here is the process owned.
import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { errorLines, exitCodeOf, exitOk, exitUsage, usageError } from "./error-report.ts";
import { createProgram } from "./program.ts";
import { asTyped, withAddresses } from "./program-options.ts";
import { type Io, paintFor, writeJson } from "./terminal.ts";

/** Runs one command. `argv` is without the names of Node and of the script. */
export async function main(argv: readonly string[]): Promise<number> {
  const cwd = currentDirectory();
  if (cwd === null) {
    process.stderr.write("error: The directory that this was started in does not exist any more; go to another.\n");
    return exitUsage;
  }
  const io: Io = {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    cwd,
  };
  for (const stream of [process.stdout, process.stderr]) stream.on("error", ignoreClosedPipe);
  return command(argv, io);
}

function currentDirectory(): string | null {
  try {
    return process.cwd();
  } catch {
    return null;
  }
}

export async function command(argv: readonly string[], io: Io): Promise<number> {
  let exitCode = exitOk;
  const program = createProgram(io, version(), (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...withAddresses(argv)], { from: "user" });
    return exitCode;
  } catch (error) {
    // Commander has said it already: help that was asked for, or what is wrong with the flags.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitOk;
      await tellPrograms(argv, error, io);
      return exitUsage;
    }
    const isDebugging = (io.env.GODWIT_DEBUG ?? "") !== "";
    io.stderr.write(`${errorLines(error, paintFor(io.stderr, io.env), isDebugging).join("\n")}\n`);
    return exitCodeOf(error);
  }
}

/** Wrong flags of a command that carries a run end in the one object, too: see docs/json.md. */
async function tellPrograms([name = "", ...rest]: readonly string[], error: CommanderError, io: Io): Promise<void> {
  if (!["run", "resume", "rerun"].includes(name) || !rest.includes("--json")) return;
  const { errorSummary } = await import("./running.ts");
  await writeJson(io, errorSummary(usageError(asTyped(error.message).replace(/^error: /, "")), null, 0));
}

/** `godwit get runs | head` closes our output early; that is no failure, and nobody reads on. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

function version(): string {
  const file = new URL("../../package.json", import.meta.url);
  return (JSON.parse(readFileSync(file, "utf8")) as { readonly version: string }).version;
}
