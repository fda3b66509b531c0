// The commands: names, options, help. Each loads its code when it is called, so that starting costs only
// what the command needs.
import { type Argument, Command } from "commander";
import { automationCommands } from "./program-automation.ts";
import { deployingCommands } from "./program-deploys.ts";
import { asTyped, type Finish } from "./program-options.ts";
import { readingCommands } from "./program-reads.ts";
import { carriedCommands } from "./program-runs.ts";
import { servingCommands } from "./program-servers.ts";
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
        writeText(asTyped(text).replace(/\n$/, "\nSee godwit --help, or --help after a command.\n")),
    })
    .helpCommand("help [command]", "help for a command")
    .showSuggestionAfterError(true)
    // What stands after the name of a nested command is that command's.
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText("after", overview);
  const commands = [
    ...carriedCommands(io, finish),
    ...deployingCommands(io, finish),
    ...automationCommands(io, finish),
    ...servingCommands(io, finish),
    ...readingCommands(io, finish),
  ];
  for (const command of commands) {
    command.copyInheritedSettings(program);
    for (const nested of command.commands) nested.copyInheritedSettings(program);
    if (command.commands.length > 0) command.configureHelp(listing);
    program.addCommand(command);
  }
  // One screen: what the commands take is told by their own help.
  return program
    .usage("COMMAND [arguments] [options]")
    .configureHelp({ ...listing, visibleOptions: () => [], visibleCommands: ({ commands }) => [...commands] });
}

/** Commands are listed with what they act on, not with the fact that they have options. */
const listing = {
  subcommandTerm: (command: Command): string =>
    [
      command.name(),
      ...(command.name() === "run" && command.registeredArguments[0]?.variadic === true
        ? ["FILE [TASK]"]
        : command.registeredArguments.map(argumentTerm)),
    ].join(" "),
};

const argumentTerm = (argument: Argument): string =>
  argument.required ? argument.name().toUpperCase() : `[${argument.name().toUpperCase()}]`;

const overview = `
  godwit run pipeline.ts                       runs its only task, or the one called main
  godwit run pipeline.ts train --depth 4       runs a task with an input; --help there lists the inputs
  godwit resume nightly                        goes on after a crash or Ctrl-C
  godwit rerun nightly --recover               after mending what failed: keeps what has succeeded

--help after a command tells more; --json makes its output JSON. Results lie in .godwit beside the nearest
package.json (--data-dir). Exit codes: 0 success, 1 the run failed, 2 wrong usage.`;
