// `godwit get report`: the page that a task wrote, as a file that a browser opens.
import { stat } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import type { ActionView } from "../../control/control.ts";
import { GodwitError } from "../../core/error.ts";
import { rootName } from "../../core/names.ts";
import { shortAction } from "../call-text.ts";
import { withExisting } from "../existing-session.ts";
import type { CommonOptions } from "../place.ts";
import { clientFor, sessionWith } from "../remote-session.ts";
import { reportCommand } from "../report-hints.ts";
import type { Session } from "../session.ts";
import { type Io, writeJson, writeLine } from "../terminal.ts";
import { writeTo } from "../written-file.ts";

export type ReportOptions = CommonOptions & { readonly to?: string };

export async function getReport(
  run: string,
  wanted: string | undefined,
  options: ReportOptions,
  io: Io,
): Promise<number> {
  if (options.remote !== undefined) return remoteReport(run, wanted, options, io);
  return withExisting(options, io, async (session) => {
    const { godwit, scope } = session;
    const view = await godwit.control.getAction(scope, run, wanted ?? rootName);
    if (view.report === null) throw await noReport(session, run, view);
    const path = await target(options.to, `${run}-${nameFor(view, wanted)}.html`, io);
    await writeTo(path, { type: "file", path: await godwit.blobs.path(view.report) });
    if (options.json === true) await writeJson(io, { run, action: view.action.name, written: path });
    else await writeLine(io.stdout, path);
    return 0;
  });
}

/** By a link of the server's. */
async function remoteReport(run: string, wanted: string | undefined, options: ReportOptions, io: Io): Promise<number> {
  const { client, scope } = clientFor(options, io);
  const view = await sessionWith(client, scope, io).godwit.control.getAction(scope, run, wanted ?? rootName);
  const url = await client.run(run).reportUrl(view.action.name, Math.max(view.action.attempt, 1));
  if (url === null) throw new GodwitError("not_found", `${view.action.label} of ${run} has no report.`);
  const answer = await fetch(url);
  if (!answer.ok) throw new GodwitError("unavailable", `The report could not be fetched: ${answer.status} ${url}`);
  const path = await target(options.to, `${run}-${nameFor(view, wanted)}.html`, io);
  await writeTo(path, { type: "text", text: await answer.text() });
  if (options.json === true) await writeJson(io, { run, action: view.action.name, written: path });
  else await writeLine(io.stdout, path);
  return 0;
}

/** Two actions of one label, told apart by the person, are told apart by their files. */
const nameFor = ({ action }: ActionView, wanted: string | undefined): string =>
  wanted === undefined || wanted === action.label || wanted === rootName
    ? action.label
    : `${action.label}-${shortAction(action.name)}`;

/** A directory takes the usual name; so does the current one if nothing is said. */
async function target(to: string | undefined, usualName: string, io: Io): Promise<string> {
  if (to === undefined) return resolve(io.cwd, usualName);
  const path = resolve(io.cwd, to);
  const isDirectory = (await stat(path).catch(() => null))?.isDirectory() === true;
  return isDirectory || to.endsWith(sep) ? join(path, usualName) : path;
}

async function noReport({ godwit, scope }: Session, run: string, { action }: ActionView): Promise<GodwitError> {
  const others = await godwit.control.listReports(scope, run);
  const commands = others.slice(0, 5).map((other) => `  ${reportCommand(run, other, others)}`);
  return new GodwitError(
    "not_found",
    `${action.label} of ${run} has no report. ${
      commands.length === 0
        ? "A task makes one with context().report.append(html)."
        : `These have:\n${commands.join("\n")}`
    }`,
  );
}
