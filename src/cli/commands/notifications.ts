// `godwit notify …`: who is told when runs of a project have ended, and what became of telling them.
import type { ProjectRule } from "../../core/notification.ts";
import { notifyRule } from "../notify-rules.ts";
import type { CommonOptions } from "../place.ts";
import { clientFor } from "../remote-session.ts";
import { type Io, paintFor, write, writeJson, writeLine } from "../terminal.ts";
import { ageText, table } from "../text.ts";

export type RuleOptions = CommonOptions & { readonly allDomains?: boolean };

export async function setRule(name: string, webhook: string, options: RuleOptions, io: Io): Promise<number> {
  const { automation } = clientFor(options, io).client;
  const isForAllDomains = options.allDomains === true;
  const rule: ProjectRule = { name, ...notifyRule(webhook), isForAll: true };
  const others = (await automation.rules(isForAllDomains)).filter((each) => each.name !== name);
  await automation.setRules([...others, rule], isForAllDomains);
  if (options.json === true) await writeJson(io, ruleRecord(rule));
  else await writeLine(io.stdout, `${check(io)} ${rule.target.url} is told of ${rule.phases.join(", ")}`);
  return 0;
}

export async function removeRule(name: string, options: RuleOptions, io: Io): Promise<number> {
  const { automation } = clientFor(options, io).client;
  const isForAllDomains = options.allDomains === true;
  const rules = await automation.rules(isForAllDomains);
  const others = rules.filter((each) => each.name !== name);
  if (others.length < rules.length) await automation.setRules(others, isForAllDomains);
  const words = others.length < rules.length ? "is removed" : "was not there";
  if (options.json === true) await writeJson(io, { rule: name, removed: others.length < rules.length });
  else await writeLine(io.stdout, `The rule ${name} ${words}`);
  return 0;
}

export async function listRules(options: RuleOptions, io: Io): Promise<number> {
  const rules = await clientFor(options, io).client.automation.rules(options.allDomains === true);
  if (options.json === true) await writeJson(io, rules.map(ruleRecord));
  else if (rules.length === 0)
    await writeLine(io.stdout, "Nobody is told. `godwit notify set NAME URL` adds a webhook.");
  else {
    const rows = rules.map(({ name, phases, target, isForAll }) => [
      name,
      phases.join(","),
      isForAll ? "all" : "those that name it",
      target.url,
    ]);
    await write(io.stdout, `${table(["RULE", "PHASES", "RUNS", "WEBHOOK"], rows).join("\n")}\n`);
  }
  return 0;
}

const ruleRecord = ({ name, phases, target, isForAll }: ProjectRule) => ({
  rule: name,
  phases,
  url: target.url,
  method: target.method,
  headers: Object.keys(target.headers),
  forAllRuns: isForAll,
});

export async function listNotifications(run: string | undefined, options: CommonOptions, io: Io): Promise<number> {
  const notifications = await clientFor(options, io).client.automation.notifications(run ?? null);
  if (options.json === true) {
    await writeJson(
      io,
      notifications.map(({ createdAtMs, ...rest }) => ({ ...rest, createdAt: new Date(createdAtMs).toISOString() })),
    );
    return 0;
  }
  const now = Date.now();
  const rows = notifications.map(({ id, run: of, phase, state, tries, createdAtMs, url, problem }) => [
    ...[id, of, phase, state, String(tries), ageText(createdAtMs, now), url],
    problem ?? "",
  ]);
  const heading = ["NOTIFICATION", "RUN", "PHASE", "STATE", "TRIES", "WHEN", "WEBHOOK", "PROBLEM"];
  await write(io.stdout, `${table(heading, rows).join("\n")}\n`);
  return 0;
}

export async function retryNotification(run: string, id: string, options: CommonOptions, io: Io): Promise<number> {
  const { state } = await clientFor(options, io).client.automation.retryNotification(run, id);
  if (options.json === true) await writeJson(io, { run, id, state });
  else await writeLine(io.stdout, `${check(io)} ${id} of ${run} is sent again`);
  return 0;
}

const check = (io: Io): string => paintFor(io.stdout, io.env)("green", "✓");
