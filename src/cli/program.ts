// The commands: names, options, help. Each loads its code when it is called, so that starting costs only
// what the command needs.
import { Command } from "commander";
import type { Finish } from "./program-options.ts";
import { readingCommands } from "./program-reads.ts";
import { carriedCommands } from "./program-runs.ts";
import type { Io } from "./terminal.ts";

export function createProgram(io: Io, version: string, finish: Finish): Command {
  const program = new Command("godwit")
    .description("Runs pipelines that are plain TypeScript: durable, cached, resumable. No server needed.")
    .version(version)
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      getOutHelpWidth: () => io.stdout.columns ?? 100,
      getErrHelpWidth: () => io.stderr.columns ?? 100,
      outputError: (text, writeText) =>
        writeText(text.replace(/\n$/, "\nSee godwit --help, or --help after a command.\n")),
    })
    .helpCommand("help [command]", "help for a command")
    .showSuggestionAfterError(true)
    .exitOverride()
    .addHelpText("after", overview);
  for (const command of [...carriedCommands(io, finish), ...readingCommands(io, finish)]) {
    command.copyInheritedSettings(program);
    for (const nested of command.commands) nested.copyInheritedSettings(program);
    program.addCommand(command);
  }
  return program;
}

const overview = `
Examples:
  godwit run pipeline.ts                     run its only task, or the one called main
  godwit run pipeline.ts train --depth 4     a task with an input
  godwit run pipeline.ts train --help        the inputs of a task
  godwit resume nightly                      go on after a crash or Ctrl-C
  godwit rerun nightly --recover             anew, keeping what has succeeded
  godwit get runs                            what has run here
  godwit why nightly train                   why the cache was used, or not

The data directory is .godwit beside the nearest package.json; --data-dir or GODWIT_DATA_DIR name another.
Exit codes: 0 success, 1 the run failed, 2 wrong usage; 130 and 143 when stopped by a signal.`;
