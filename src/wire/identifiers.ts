// The protocol's identifiers, and ours. An organisation is not a part of any key: the same run is addressed with one
// by some clients, and without by others (contract: the CLI sends none, the tasks of its runs send "local").
import type { HandlerContext } from "@connectrpc/connect";
import type { ActionIdentifier, ProjectIdentifier, RunIdentifier } from "#idl/flyteidl2/common/identifier_pb.js";
import type { Scope } from "../control/control.ts";
import { GodwitError } from "../core/error.ts";
import type { Run } from "../core/run.ts";
import type { WireParts } from "./parts.ts";

export type RunRef = { readonly scope: Scope; readonly run: string };
export type ActionRef = RunRef & { readonly action: string };

/** One request's way to what it is about. */
export type Asking = { readonly parts: WireParts; readonly headers: Headers };

export const askingOf =
  (parts: WireParts) =>
  ({ requestHeader: headers }: HandlerContext): Asking => ({ parts, headers });

export async function scopeOf(
  { parts, headers }: Asking,
  where: { readonly project: string; readonly domain: string },
): Promise<Scope> {
  const caller = await parts.callerOf(headers);
  return { project: required("project", where.project), domain: required("domain", where.domain), caller };
}

export const scopeOfProject = (asking: Asking, id: ProjectIdentifier | undefined): Promise<Scope> =>
  scopeOf(asking, { project: present("project_id", id).name, domain: present("project_id", id).domain });

export async function runRef(asking: Asking, id: RunIdentifier | undefined): Promise<RunRef> {
  const run = present("run_id", id);
  return { scope: await scopeOf(asking, run), run: required("run_id.name", run.name) };
}

export async function actionRef(
  asking: Asking,
  id: ActionIdentifier | undefined,
  field = "action_id",
): Promise<ActionRef> {
  const action = present(field, id);
  return { ...(await runRef(asking, action.run)), action: required(`${field}.name`, action.name) };
}

/** Throws `invalid_argument` if the field was left out. */
export function present<T>(field: string, value: T | undefined): T {
  if (value !== undefined) return value;
  throw new GodwitError("invalid_argument", `The request lacks the field ${field}.`);
}

export function required(field: string, value: string): string {
  if (value !== "") return value;
  throw new GodwitError("invalid_argument", `The request's field ${field} is empty.`);
}

export const runIdMessage = ({ project, domain, name }: Pick<Run, "project" | "domain" | "name">) => ({
  org: "",
  project,
  domain,
  name,
});

export const actionIdMessage = (run: Pick<Run, "project" | "domain" | "name">, action: string) => ({
  run: runIdMessage(run),
  name: action,
});
