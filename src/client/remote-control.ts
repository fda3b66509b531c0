// What commands ask of Control, asked of a server: they print the same for a run there as for one here.
//
// R1  A payload that comes from here has its values in it: rows of a server are not at hand later.
// R2  What the protocol has no words for is not made up: it is empty, or refused as `unimplemented`.
import { create } from "@bufbuild/protobuf";
import { type Filter, Filter_Function, FilterSchema, ListRequestSchema } from "#idl/flyteidl2/common/list_pb.js";
import type {
  ActionListing,
  ActionView,
  Control,
  LogRead,
  Page,
  RunListing,
  RunView,
  WantedAction,
} from "../control/control.ts";
import { type Action, isTerminal, type Phase } from "../core/action.ts";
import { GodwitError, isGodwitError } from "../core/error.ts";
import { didYouMean, rootName } from "../core/names.ts";
import type { Literals, Payload } from "../core/value.ts";
import { phaseMessage } from "../idl/phase-message.ts";
import type { Client } from "./client.ts";
import type { RemoteRun } from "./remote-run.ts";
import { runViewOf } from "./run-views.ts";

/** How many actions are looked at to find one by its label, or to count them. */
const maxSearched = 20_000;
const pageSize = 1_000;

export type RemoteControl = Pick<
  Control,
  | "getRun"
  | "listRuns"
  | "watchRun"
  | "abortRun"
  | "listActions"
  | "getAction"
  | "listReports"
  | "abortAction"
  | "signal"
  | "logs"
  | "waitReasons"
  | "failure"
  | "literals"
  | "manifest"
>;

export const remoteControl = (client: Client): RemoteControl => ({
  getRun: (_, name) => counted(client.run(name)),
  listRuns: (_, listing) => listRuns(client, listing),
  watchRun: (_, name, signal) => client.run(name).watch(signal),
  abortRun: async (_, name, reason) => {
    await client.run(name).abort(reason);
    return client.run(name).read();
  },
  listActions: (_, run, listing) => listActions(client.run(run), listing),
  getAction: (_, run, wanted) => withValues(client.run(run), wanted),
  listReports: () => Promise.resolve([]),
  abortAction: async (_, run, wanted, reason) => {
    const { name } = await found(client.run(run), wanted);
    await client.run(run).abort(reason, name);
    return (await client.run(run).action(name)).action;
  },
  signal: async (_, run, wanted, value) => {
    const { name } = await foundCondition(client.run(run), wanted);
    await client.run(run).signal(await client.run(run).action(name), value);
    return (await client.run(run).action(name)).action;
  },
  logs: (_, run, wanted, options) => logs(client.run(run), wanted, options),
  waitReasons: () => Promise.resolve(new Map()),
  failure: (_, run) => failure(client.run(run)),
  literals: async (payload) => literalsIn(payload),
  manifest: async (bundle) => ({ bundle, entry: "", tasks: [] }),
});

/** R1. */
function literalsIn(payload: Payload): Literals {
  if (payload.type === "inline") return JSON.parse(payload.text) as Literals;
  throw new GodwitError("internal", "A payload of a server has its values in it.");
}

const payloadOf = (literals: Literals): Payload => ({ type: "inline", text: JSON.stringify(literals) });

async function counted(run: RemoteRun): Promise<RunView> {
  const view = await run.read();
  const counts: { [phase in Phase]?: number } = {};
  for await (const { phase } of actionsOf(run)) counts[phase] = (counts[phase] ?? 0) + 1;
  return { ...view, counts };
}

async function* actionsOf(run: RemoteRun): AsyncIterable<Action> {
  let token: string | null = null;
  let searched = 0;
  do {
    const page: Page<Action> = await run.actions(pageSize, token);
    yield* page.items;
    searched += page.items.length;
    token = page.token;
  } while (token !== null && searched < maxSearched);
}

async function listRuns(client: Client, listing: RunListing): Promise<Page<RunView>> {
  const { project, domain, runs } = client.connection;
  const filters: Filter[] = [
    ...(listing.task === undefined ? [] : [filter("task_name", Filter_Function.EQUAL, [listing.task])]),
    ...(listing.phases === undefined ? [] : [phaseFilter(listing.phases)]),
  ];
  const request = create(ListRequestSchema, { limit: listing.limit, token: listing.token ?? "", filters });
  const answer = await client.connection.ask((options) =>
    runs.listRuns(
      { request, scopeBy: { case: "projectId", value: { organization: "", domain, name: project } } },
      options,
    ),
  );
  return { items: answer.runs.map((run) => runViewOf(run)), token: answer.token || null };
}

const filter = (field: string, how: Filter_Function, values: readonly string[]): Filter =>
  create(FilterSchema, { field, function: how, values: [...values] });

const phaseFilter = (phases: readonly Phase[]): Filter =>
  filter(
    "phase",
    Filter_Function.VALUE_IN,
    phases.map((phase) => String(phaseMessage(phase))),
  );

async function listActions(run: RemoteRun, listing: ActionListing): Promise<Page<Action>> {
  const page = await run.actions(listing.limit, listing.token);
  const isWanted = ({ phase, parent, type }: Action): boolean =>
    (listing.phases === undefined || listing.phases.includes(phase)) &&
    (listing.parent === undefined || parent === listing.parent) &&
    (listing.type === undefined || type === listing.type);
  return { items: page.items.filter(isWanted), token: page.token };
}

/** As on this machine: by name, the beginning of one, or a label that only one has. */
async function found(
  run: RemoteRun,
  wanted: WantedAction,
  only: (action: Action) => boolean = () => true,
): Promise<Action> {
  const text = typeof wanted === "string" ? wanted : wanted.name;
  if (typeof wanted !== "string" || text === rootName) return (await run.action(text)).action;
  const labels = new Set<string>();
  const fits: Action[] = [];
  for await (const action of actionsOf(run)) {
    if (action.name === text) return action;
    if (!only(action)) continue;
    labels.add(action.label);
    if (action.label === text || (text.length >= 4 && action.name.startsWith(text))) fits.push(action);
  }
  const [first, other] = fits;
  if (first === undefined)
    throw new GodwitError(
      "not_found",
      `The run ${run.name} has no action "${text}".${didYouMean(text, labels)} \`godwit get actions ${run.name} --remote\` lists them.`,
    );
  if (other === undefined) return first;
  const names = fits.slice(0, 5).map(({ name, phase }) => `${name} (${phase})`);
  throw new GodwitError(
    "invalid_argument",
    `"${text}" is ambiguous: ${fits.length} actions of ${run.name} fit, among them ${names.join(", ")}. Give a name.`,
  );
}

/** The one that waits; if none does, whichever it is, for the server to say that it does not. */
async function foundCondition(run: RemoteRun, wanted: WantedAction): Promise<Action> {
  try {
    return await found(run, wanted, ({ phase, type }) => type === "condition" && phase === "paused");
  } catch (error) {
    if (!isGodwitError(error) || error.code !== "not_found") throw error;
    return found(run, wanted);
  }
}

async function withValues(run: RemoteRun, wanted: WantedAction): Promise<ActionView> {
  const view = await run.action((await found(run, wanted)).name);
  const { inputs, outputs } = await run.values(view);
  return {
    ...view,
    action: {
      ...view.action,
      inputs: payloadOf(inputs),
      outputs: outputs === null ? null : payloadOf(outputs),
    },
  };
}

type LogOptions = Parameters<Control["logs"]>[3];

async function* logs(run: RemoteRun, wanted: WantedAction, options: LogOptions): AsyncIterable<LogRead> {
  let action = await found(run, wanted);
  const first = options.attempt ?? (options.follow ? "all" : Math.max(action.attempt, 1));
  for (let attempt = first === "all" ? 1 : first; ; attempt++) {
    yield* run.logs(action.name, attempt, options);
    ({ action } = await run.action(action.name));
    const isLast = isTerminal(action.phase) || !options.follow;
    if (first !== "all" || options.signal.aborted || (isLast && attempt >= action.attempt)) return;
  }
}

async function failure(run: RemoteRun) {
  const { action } = await run.action();
  return isTerminal(action.phase) && action.error !== null ? { error: action.error, action } : null;
}
