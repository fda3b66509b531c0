// Commands about what a server does by itself: triggers, backfills, and telling of the ends of runs.
import { Command } from "commander";
import type { BackfillOptions } from "./commands/backfills.ts";
import type { RuleOptions } from "./commands/notifications.ts";
import type { FireOptions, PreviewOptions } from "./commands/triggers.ts";
import type { CommonOptions } from "./place.ts";
import { type Finish, optionsOf, positive, withCommonOptions, withRemoteOption } from "./program-options.ts";
import type { Io } from "./terminal.ts";

export const automationCommands = (io: Io, finish: Finish): readonly Command[] => [
  triggerCommand(io, finish),
  backfillCommand(io, finish),
  notifyCommand(io, finish),
];

type Add = (name: string, description: string) => Command;

/** What `get` shows of them. */
export function addAutomation(add: Add, io: Io, finish: Finish): void {
  const triggers = add("triggers", "what starts runs by itself on a server: the next tick, the last run, problems");
  triggers.argument("[task]", "only of this task").action(async (task: string | undefined) => {
    const { getTriggers } = await import("./commands/triggers.ts");
    finish(await getTriggers(task, optionsOf<CommonOptions>(triggers), io));
  });
  const backfills = add("backfills", "runs of triggers for periods that have passed, and how far they are");
  backfills.action(async () => {
    const { getBackfills } = await import("./commands/backfills.ts");
    finish(await getBackfills(optionsOf<CommonOptions>(backfills), io));
  });
}

function triggerCommand(io: Io, finish: Finish): Command {
  const trigger = new Command("trigger").description("activate, fire, preview or delete a trigger on a server");
  const add: Add = (name, description) => {
    const command = withRemoteOption(withCommonOptions(new Command(name)))
      .description(description)
      .argument("<task>", "its full name")
      .argument("<trigger>");
    trigger.addCommand(command);
    return command;
  };
  addChanges(add, io, finish);
  const fire = add("fire", "start a run of it now")
    .option("--name <name>", "name of the run")
    .option("--inputs <json>", "inputs in the place of the trigger's, as one JSON object; @file reads a file");
  fire.action(async (task: string, name: string) => {
    const { fireTrigger } = await import("./commands/triggers.ts");
    finish(await fireTrigger({ task, name }, optionsOf<FireOptions>(fire), io));
  });
  const history = add("history", "its revisions: who changed it, and when");
  history.action(async (task: string, name: string) => {
    const { triggerHistory } = await import("./commands/triggers.ts");
    finish(await triggerHistory({ task, name }, optionsOf<CommonOptions>(history), io));
  });
  const preview = add("preview", "its next ticks").option("--count <number>", "so many", positive, 10);
  preview.action(async (task: string, name: string) => {
    const { previewTrigger } = await import("./commands/triggers.ts");
    finish(await previewTrigger({ task, name }, optionsOf<PreviewOptions>(preview), io));
  });
  return trigger.addHelpText(
    "after",
    `
A task has its triggers where it is defined, in \`triggers\`; \`godwit deploy\` puts them on the server.

Examples:
  godwit get triggers
  godwit trigger preview penguins.main nightly --count 5
  godwit trigger deactivate penguins.main nightly
  godwit trigger fire penguins.main nightly`,
  );
}

function addChanges(add: Add, io: Io, finish: Finish): void {
  const changes = {
    activate: "its next tick is the first one after this",
    deactivate: "it starts nothing until it is activated",
    delete: "remove it; its history stays, and runs that it started go on",
  } as const;
  for (const change of ["activate", "deactivate", "delete"] as const) {
    const command = add(change, changes[change]);
    command.action(async (task: string, name: string) => {
      const { changeTrigger } = await import("./commands/triggers.ts");
      finish(await changeTrigger(change, { task, name }, optionsOf<CommonOptions>(command), io));
    });
  }
}

function backfillCommand(io: Io, finish: Finish): Command {
  const command = withRemoteOption(withCommonOptions(new Command("backfill")))
    .description("start a trigger's runs for a period that has passed; backfill abort ends one")
    .argument("<task>", "its full name")
    .argument("<trigger>")
    // Not required by commander: it would demand them of the nested command too.
    .option("--from <moment>", "the first tick is at this moment or after it: 2026-03-01 (UTC)")
    .option("--to <moment>", "the last tick is before this moment")
    .option("--parallelism <count>", "runs at once", positive, 1)
    .option("--repeat", "also ticks that have their run already")
    .option("--preview", "start nothing, and show the ticks")
    .option("--name <name>", "name of the backfill; the same again is the same one")
    .addHelpText(
      "after",
      `
Examples:
  godwit backfill penguins.main nightly --from 2026-03-01 --to 2026-04-01 --preview
  godwit backfill penguins.main nightly --from 2026-03-01 --to 2026-04-01 --parallelism 4
  godwit get backfills
  godwit backfill abort b3f9a01c2d4e`,
    );
  command.action(async (task: string, name: string) => {
    const { backfill } = await import("./commands/backfills.ts");
    finish(await backfill({ task, name }, optionsOf<BackfillOptions>(command), io));
  });
  const abort = withRemoteOption(withCommonOptions(new Command("abort")))
    .description("start no more of its runs, and end those that go on")
    .argument("<backfill>");
  abort.action(async (id: string) => {
    const { abortBackfill } = await import("./commands/backfills.ts");
    finish(await abortBackfill(id, optionsOf<CommonOptions>(abort), io));
  });
  return command.addCommand(abort);
}

function notifyCommand(io: Io, finish: Finish): Command {
  const notify = new Command("notify").description(
    "webhooks of a project on a server: who is told when runs have ended",
  );
  const add: Add = (name, description) => {
    const command = withRemoteOption(withCommonOptions(new Command(name))).description(description);
    notify.addCommand(command);
    return command;
  };
  const allDomains = ["--all-domains", "those of all domains of the project, not of this one"] as const;
  const set = add("set", "tell a webhook of all runs that end, or of those in some phases")
    .argument("<name>", "of the rule")
    .argument("<url>", "URL, or URL,failed,aborted")
    .option(...allDomains);
  set.action(async (name: string, url: string) => {
    const { setRule } = await import("./commands/notifications.ts");
    finish(await setRule(name, url, optionsOf<RuleOptions>(set), io));
  });
  const ls = add("ls", "the rules there are").option(...allDomains);
  ls.action(async () => {
    const { listRules } = await import("./commands/notifications.ts");
    finish(await listRules(optionsOf<RuleOptions>(ls), io));
  });
  const rm = add("rm", "remove a rule")
    .argument("<name>")
    .option(...allDomains);
  rm.action(async (name: string) => {
    const { removeRule } = await import("./commands/notifications.ts");
    finish(await removeRule(name, optionsOf<RuleOptions>(rm), io));
  });
  addDeliveries(add, io, finish);
  return notify.addHelpText(
    "after",
    `
Examples:
  godwit notify set on-call https://example.org/hook,failed,timed_out
  godwit notify log nightly`,
  );
}

function addDeliveries(add: Add, io: Io, finish: Finish): void {
  const log = add("log", "notifications, newest first, and what became of them").argument("[run]", "of this run only");
  log.action(async (run: string | undefined) => {
    const { listNotifications } = await import("./commands/notifications.ts");
    finish(await listNotifications(run, optionsOf<CommonOptions>(log), io));
  });
  const retry = add("retry", "send a notification again, after its receiver was mended")
    .argument("<run>")
    .argument("<notification>", "its id");
  retry.action(async (run: string, id: string) => {
    const { retryNotification } = await import("./commands/notifications.ts");
    finish(await retryNotification(run, id, optionsOf<CommonOptions>(retry), io));
  });
}
