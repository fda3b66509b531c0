// `godwit deploy` and `godwit promote`: tasks on a server, by version.
import type { Client } from "../../client/client.ts";
import type { DefinedTrigger } from "../../core/automation.ts";
import { GodwitError } from "../../core/error.ts";
import { scheduleText } from "../../core/schedule.ts";
import type { Manifest } from "../../core/task.ts";
import type { CommonOptions } from "../place.ts";
import { clientFor } from "../remote-session.ts";
import { withSendable } from "../sent-code.ts";
import { type Io, paintFor, writeJson, writeLine } from "../terminal.ts";
import { plural } from "../text.ts";
import { sourceOf } from "./run.ts";

export type DeployOptions = CommonOptions & { readonly version?: string };
export type PromoteOptions = CommonOptions & { readonly to: string; readonly triggers?: boolean };

/** Of the digest of a bundle: enough that nobody has two that are alike. */
const versionLength = 12;

export async function deploy(file: string, options: DeployOptions, io: Io): Promise<number> {
  const { client } = clientFor(options, io);
  return withSendable(sourceOf(file, io), options, io, async ({ manifest, send }) => {
    if (manifest.tasks.length === 0)
      throw new GodwitError(
        "invalid_argument",
        `${manifest.entry} has no tasks. Define one with environment().task().`,
      );
    const code = await send(client);
    const version = options.version ?? code.digest.slice(0, versionLength);
    for (const spec of manifest.tasks) await client.deploy(spec, code, version, manifest.triggers);
    await tell(client, manifest, version, options, io);
    return 0;
  });
}

async function tell(
  { connection: { project, domain, endpoint } }: Client,
  { tasks, bundle, triggers = [] }: Manifest,
  version: string,
  options: DeployOptions,
  io: Io,
): Promise<void> {
  const names = tasks.map(({ name }) => name);
  if (options.json === true) {
    const named = triggers.map(({ task, name, isActive }) => ({ task, name, active: isActive }));
    await writeJson(io, { project, domain, version, bundle, tasks: names, triggers: named });
    return;
  }
  const paint = paintFor(io.stdout, io.env);
  for (const name of names) await writeLine(io.stdout, `${paint("green", "✓")} ${name} ${paint("dim", version)}`);
  for (const trigger of triggers) await writeLine(io.stdout, `${paint("green", "✓")} ${triggerText(trigger)}`);
  await writeLine(
    io.stdout,
    paint("dim", `${plural(names.length, "task")} deployed to ${project}/${domain} at ${endpoint}`),
  );
}

function triggerText({ task, name, automation, isActive }: DefinedTrigger): string {
  const when = automation.type === "schedule" ? scheduleText(automation.schedule) : "when it is fired";
  return `${task}: trigger ${name}, ${when}${isActive ? "" : ", not active"}`;
}

export async function promote(task: string, version: string, options: PromoteOptions, io: Io): Promise<number> {
  const { client } = clientFor(options, io);
  await client.promote(task, version, options.to, { triggers: options.triggers === true });
  const { project, domain } = client.connection;
  if (options.json === true) await writeJson(io, { task, version, project, from: domain, to: options.to });
  else {
    const paint = paintFor(io.stdout, io.env);
    await writeLine(io.stdout, `${paint("green", "✓")} ${task} ${version} is in ${project}/${options.to} now`);
  }
  return 0;
}
