// Commands that look, and those that say something to a run under way.
import { Command } from "commander";
import type { AbortOptions } from "./commands/abort.ts";
import type { ListOptions, RemoveOptions } from "./commands/cache.ts";
import type { DoctorOptions } from "./commands/doctor.ts";
import type { ActionsOptions } from "./commands/get-actions.ts";
import type { RunsOptions } from "./commands/get-runs.ts";
import type { TaskOptions } from "./commands/get-tasks.ts";
import type { LogsOptions } from "./commands/logs.ts";
import type { OutputOptions } from "./commands/output.ts";
import type { ReportOptions } from "./commands/report.ts";
import type { CommonOptions } from "./place.ts";
import { addAutomation } from "./program-automation.ts";
import { type Finish, limitOption, optionsOf, withCommonOptions, withRemoteOption } from "./program-options.ts";
import type { Io } from "./terminal.ts";

export const readingCommands = (io: Io, finish: Finish): readonly Command[] => [
  getCommand(io, finish),
  logsCommand(io, finish),
  whyCommand(io, finish),
  signalCommand(io, finish),
  abortCommand(io, finish),
  cacheCommand(io, finish),
  doctorCommand(io, finish),
];

const actionWords =
  "An action is named by its label if only one has it, or by its name or the beginning of it (4 letters).";
const phaseOption = "only in these phases: queued, running, succeeded, failed, … or active (comma-separated)";

function getCommand(io: Io, finish: Finish): Command {
  const get = new Command("get").description(
    "show runs, actions, tasks, outputs, reports, triggers, backfills and engines",
  );
  get.addHelpText(
    "after",
    `
${actionWords}

Examples:
  godwit get runs --phase failed
  godwit get run nightly
  godwit get actions nightly --phase failed,timed-out
  godwit get action nightly train
  godwit get output nightly model --to model.json
  godwit get report nightly train
  godwit get task train`,
  );
  const add = (name: string, description: string): Command => {
    const command = withRemoteOption(withCommonOptions(new Command(name))).description(description);
    get.addCommand(command);
    return command;
  };
  const runs = add("runs", "list runs, newest first")
    .option("--task <name>", "only of this task")
    .option("--phase <phases>", phaseOption)
    .addOption(limitOption(50));
  runs.action(async () => {
    const { getRuns } = await import("./commands/get-runs.ts");
    finish(await getRuns(optionsOf<RunsOptions>(runs), io));
  });
  const run = add("run", "one run: its tree, inputs, outputs, and why it failed").argument("<run>");
  run.action(async (name: string) => {
    const { getRun } = await import("./commands/get-runs.ts");
    finish(await getRun(name, optionsOf<CommonOptions>(run), io));
  });
  const actions = add("actions", "list the actions of a run, in the order of their calls, and why those that wait do")
    .argument("<run>")
    .option("--parent <action>", "only direct calls of this action")
    .option("--phase <phases>", phaseOption)
    .addOption(limitOption(200));
  actions.action(async (name: string) => {
    const { getActions } = await import("./commands/get-actions.ts");
    finish(await getActions(name, optionsOf<ActionsOptions>(actions), io));
  });
  const action = add("action", "one action: attempts, inputs, outputs, report, error")
    .argument("<run>")
    .argument("<action>");
  action.action(async (name: string, wanted: string) => {
    const { getAction } = await import("./commands/get-actions.ts");
    finish(await getAction(name, wanted, optionsOf<CommonOptions>(action), io));
  });
  addOutput(add("output", "print outputs, or write them to a path"), io, finish);
  addReport(add("report", "write the report (HTML) of a run or an action to a file, and print its path"), io, finish);
  addTasks(add, io, finish);
  addAutomation(add, io, finish);
  const engines = add("engines", "the processes that serve runs, what they may give out, and what is in use");
  engines.action(async () => {
    const { getEngines } = await import("./commands/get-engines.ts");
    finish(await getEngines(optionsOf<CommonOptions>(engines), io));
  });
  return get;
}

function addOutput(output: Command, io: Io, finish: Finish): void {
  output
    .argument("<run>")
    .argument("[action-or-name]", "an output of the run, or an action")
    .argument("[name]", "an output of that action")
    .option("--to <path>", "write it there: files and directories as they are, tables as .parquet, .csv or .json")
    .addHelpText(
      "after",
      "\nExamples:\n  godwit get output nightly\n  godwit get output nightly model --to ./model.json\n  godwit get output nightly clean rows --to rows.csv",
    );
  output.action(async (run: string, first: string | undefined, second: string | undefined) => {
    const { getOutput } = await import("./commands/output.ts");
    const words = [first, second].filter((word) => word !== undefined);
    finish(await getOutput(run, words, optionsOf<OutputOptions>(output), io));
  });
}

function addReport(report: Command, io: Io, finish: Finish): void {
  report
    .argument("<run>")
    .argument("[action]", "default: the run's own task")
    .option("--to <path>", "file or directory (default: <run>-<task>.html in the current directory)")
    .addHelpText(
      "after",
      `\n${actionWords}\n\nExamples:\n  godwit get report nightly\n  godwit get report nightly train --to train.html`,
    );
  report.action(async (run: string, action: string | undefined) => {
    const { getReport } = await import("./commands/report.ts");
    finish(await getReport(run, action, optionsOf<ReportOptions>(report), io));
  });
}

function addTasks(add: (name: string, description: string) => Command, io: Io, finish: Finish): void {
  const fileOption = ["--file <path>", "look into this file instead of what has run here"] as const;
  const tasks = add("tasks", "list tasks that have run here, or those of a file").option(...fileOption);
  tasks.action(async () => {
    const { getTasks } = await import("./commands/get-tasks.ts");
    finish(await getTasks(optionsOf<TaskOptions>(tasks), io));
  });
  const task = add("task", "one task: its inputs, outputs and settings")
    .argument("<task>")
    .option("--version <version>", "with --remote: this one (default: the one that was deployed last)")
    .option(...fileOption);
  task.action(async (name: string) => {
    const { getTask } = await import("./commands/get-tasks.ts");
    finish(await getTask(name, optionsOf<TaskOptions>(task), io));
  });
}

function logsCommand(io: Io, finish: Finish): Command {
  const command = withRemoteOption(withCommonOptions(new Command("logs")))
    .description("show what tasks printed, while they run and after")
    .argument("<run>")
    .argument("[action]", "of this action only")
    .option("-f, --follow", "go on until it has ended")
    .option("--attempt <number>", 'of this attempt, or "all" (default: the last)')
    .addHelpText(
      "after",
      `\n${actionWords}\nWith --json, each line is an object of its own.\n\nExamples:\n  godwit logs nightly\n  godwit logs nightly train --attempt all\n  godwit logs nightly -f`,
    );
  command.action(async (run: string, action: string | undefined) => {
    const { logs } = await import("./commands/logs.ts");
    finish(await logs(run, action, optionsOf<LogsOptions>(command), io));
  });
  return command;
}

function whyCommand(io: Io, finish: Finish): Command {
  const command = withCommonOptions(new Command("why"))
    .description("say why an action was taken from the cache, or was not")
    .argument("<run>")
    .argument("[action]", "default: the run's own task")
    .addHelpText(
      "after",
      `\nTells which parts of the key (code, packages, inputs) differ from the nearest entry.\n${actionWords}\n\nExamples:\n  godwit why nightly\n  godwit why nightly train`,
    );
  command.action(async (run: string, action: string | undefined) => {
    const { why } = await import("./commands/cache.ts");
    finish(await why(run, action, optionsOf<CommonOptions>(command), io));
  });
  return command;
}

function signalCommand(io: Io, finish: Finish): Command {
  const command = withRemoteOption(withCommonOptions(new Command("signal")))
    .description("answer a condition that a run waits for")
    .argument("<run>")
    .argument("<condition>", "its name")
    .argument("<value>", "true, false, a number or text, as the condition asks")
    .addHelpText(
      "after",
      "\nExamples:\n  godwit signal nightly approve true\n  godwit signal nightly threshold 0.75\n  godwit signal nightly threshold -- -1",
    );
  command.action(async (run: string, condition: string, value: string) => {
    const { signal } = await import("./commands/signal.ts");
    finish(await signal(run, condition, value, optionsOf<CommonOptions>(command), io));
  });
  return command;
}

function abortCommand(io: Io, finish: Finish): Command {
  const command = withRemoteOption(withCommonOptions(new Command("abort")))
    .description("end a run, or one action and all it has called")
    .argument("<run>")
    .argument("[action]", "only this action")
    .option("--reason <text>", "what is told to whoever waits for it")
    .addHelpText("after", '\nExamples:\n  godwit abort nightly\n  godwit abort nightly train --reason "wrong data"');
  command.action(async (run: string, action: string | undefined) => {
    const { abort } = await import("./commands/abort.ts");
    finish(await abort(run, action, optionsOf<AbortOptions>(command), io));
  });
  return command;
}

function cacheCommand(io: Io, finish: Finish): Command {
  const cache = new Command("cache").description("list or remove what the cache holds");
  const ls = withCommonOptions(new Command("ls"))
    .description("list entries, newest first")
    .argument("[task]", "only of this task")
    .addOption(limitOption(50));
  ls.action(async (task: string | undefined) => {
    const { cacheLs } = await import("./commands/cache.ts");
    finish(await cacheLs(task, optionsOf<ListOptions>(ls), io));
  });
  const rm = withCommonOptions(new Command("rm"))
    .description("remove entries, so that they are computed anew")
    .argument("[key]", "key of an entry, or the beginning of it")
    .option("--task <name>", "all of this task")
    .option("--all", "everything");
  rm.action(async (key: string | undefined) => {
    const { cacheRm } = await import("./commands/cache.ts");
    finish(await cacheRm(key, optionsOf<RemoveOptions>(rm), io));
  });
  cache.addCommand(ls).addCommand(rm);
  return cache.addHelpText(
    "after",
    "\nExamples:\n  godwit cache ls penguins.train\n  godwit cache rm 3f9a01\n  godwit cache rm --task penguins.train",
  );
}

function doctorCommand(io: Io, finish: Finish): Command {
  const command = withCommonOptions(new Command("doctor"))
    .description("check the installation and the data directory")
    .option("--full", "read every byte that is stored, also of more than 4 GB")
    .option("--repair", "put right what can be; damaged files are moved aside, nothing is deleted")
    .addHelpText("after", "\nWithout --repair nothing is changed.\nExit code 0: healthy, 1: something has to be done.");
  command.action(async () => {
    const { doctor } = await import("./commands/doctor.ts");
    finish(await doctor(optionsOf<DoctorOptions>(command), io));
  });
  return command;
}
