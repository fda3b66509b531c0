// Commands that carry a run: run, resume, rerun.
import { Command, Option } from "commander";
import type { RerunOptions } from "./commands/resume.ts";
import type { RunOptions } from "./commands/run.ts";
import {
  type Finish,
  optionsOf,
  withCommonOptions,
  withDisplayOptions,
  withRemoteOption,
  withStartOptions,
} from "./program-options.ts";
import type { DisplayOptions } from "./running.ts";
import type { Io } from "./terminal.ts";

export const carriedCommands = (io: Io, finish: Finish): readonly Command[] => [
  runCommand(io, finish),
  resumeCommand(io, finish),
  rerunCommand(io, finish),
];

function runCommand(io: Io, finish: Finish): Command {
  const command = withRemoteOption(withStartOptions(withDisplayOptions(withCommonOptions(new Command("run")))))
    .description("run a task of a file, and show it until it has ended")
    .usage("FILE [TASK] [--input value…] [options]")
    .argument("[words...]")
    .option("--name <name>", "name of the run; the same command with the same name goes on with it")
    .option("--task <name>", "with --remote: a deployed task, in place of a file")
    .option("--version <version>", "with --task: of this version (default: the one that was deployed last)")
    .addOption(notifyOption())
    .option("--inputs <json>", "inputs as one JSON object; @file reads a file, - reads standard input")
    .option("--overwrite-cache", "compute everything anew, and replace what the cache holds")
    .helpOption(false)
    .option("-h, --help", "this help; after FILE [TASK]: the inputs of the task")
    .allowUnknownOption(true)
    .allowExcessArguments(true)
    .addHelpText("after", runHelp);
  // The inputs of the task are told for each file; a list of "words" would say nothing.
  command.configureHelp({ visibleArguments: () => [] });
  command.action(async () => {
    const options = optionsOf<RunOptions & { readonly help?: boolean }>(command);
    const wantsHelp = options.help === true;
    if (wantsHelp && command.args.length === 0) {
      command.outputHelp();
      finish(0);
      return;
    }
    const own = command.options.map(({ long }) => (long ?? "").replace(/^--/, "")).filter((name) => name !== "");
    if (options.remote !== undefined && !wantsHelp) {
      const { runRemote } = await import("./commands/run-remote.ts");
      finish(await runRemote(command.args, options, own, io));
      return;
    }
    const { helpForTask, run } = await import("./commands/run.ts");
    finish(await (wantsHelp ? helpForTask(command.args, options, io) : run(command.args, options, own, io)));
  });
  return command;
}

const notifyOption = (): Option =>
  new Option(
    "--notify <url>",
    "with --remote: a webhook that is called when the run has ended; of some phases: URL,failed,aborted",
  ).argParser((text: string, before: readonly string[] | undefined) => [...(before ?? []), text]);

const runHelp = `
TASK may be left out when the file has one task, or one called main.

Inputs are flags: --depth 4, --max-depth 4 for maxDepth, --verbose and --no-verbose, --depths 2 --depths 4
or --depths '[2,4]', --config '{"alpha": 0.5}'. Files, directories and tables (.parquet, .csv, .json) are
paths. An input with the name of an option below goes after --.

Examples:
  godwit run pipeline.ts
  godwit run pipeline.ts train --data penguins.csv --depth 4
  godwit run pipeline.ts train --help
  godwit run pipeline.ts main --name nightly --inputs @inputs.json
  godwit run pipeline.ts main --json | jq .outputs
  godwit run pipeline.ts main -- --name "an input called name"
  godwit run --remote pipeline.ts main --depth 4         on a server, which gets the code
  godwit run --remote --task penguins.main --depth 4     a deployed task

On a terminal the tree of calls is drawn while it grows; elsewhere it is told in lines. With --json, stdout
gets one object: { run, phase, outputs, error, actions, wallMs }, and the rest goes to stderr.
Ctrl-C stops, and leaves the run as it is: godwit resume NAME goes on. Twice: at once.`;

function resumeCommand(io: Io, finish: Finish): Command {
  const command = withDisplayOptions(withCommonOptions(new Command("resume")))
    .description("go on with a run that was interrupted")
    .argument("<run>", "name of the run")
    .addHelpText(
      "after",
      `
The run goes on with the code that it was started with; what is done is not done again. If another
process serves it, it is only shown here. A run that has ended prints its result.

Examples:
  godwit resume nightly
  godwit resume nightly --json`,
    );
  command.action(async (name: string) => {
    const { resume } = await import("./commands/resume.ts");
    finish(await resume(name, optionsOf<DisplayOptions>(command), io));
  });
  return command;
}

function rerunCommand(io: Io, finish: Finish): Command {
  const command = withRemoteOption(withStartOptions(withDisplayOptions(withCommonOptions(new Command("rerun")))))
    .description("start a new run with the task and inputs of an old one")
    .argument("<run>", "name of the old run")
    .option("--recover", "reuse what succeeded in the old run, and begin where it did not")
    .option("--recorded-code", "run the code that the old run used, not what the file has now")
    .option("--file <file>", "with --remote: run the code of this file (default: the recorded code)")
    .option("--name <name>", "name of the new run")
    .option("--overwrite-cache", "compute everything anew, and replace what the cache holds")
    .addHelpText(
      "after",
      `
Examples:
  godwit rerun nightly                         with the code as it is now
  godwit rerun nightly --recover               after mending what failed
  godwit rerun nightly --recorded-code         exactly what ran then`,
    );
  command.action(async (name: string) => {
    const options = optionsOf<RerunOptions>(command);
    if (options.remote !== undefined) {
      const { rerunRemote } = await import("./commands/run-remote.ts");
      finish(await rerunRemote(name, options, io));
      return;
    }
    const { rerun } = await import("./commands/resume.ts");
    finish(await rerun(name, options, io));
  });
  return command;
}
