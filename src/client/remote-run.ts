// One run of a server: watched, read, answered, ended.
import { create } from "@bufbuild/protobuf";
import type { ActionIdentifier, RunIdentifier } from "#idl/flyteidl2/common/identifier_pb.js";
import { ActionIdentifierSchema, RunIdentifierSchema } from "#idl/flyteidl2/common/identifier_pb.js";
import { ListRequestSchema } from "#idl/flyteidl2/common/list_pb.js";
import type { ActionView, LogRead, Page, RunView } from "../control/control.ts";
import { type Action, isSuccess, isTerminal } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { rootName } from "../core/names.ts";
import type { PhaseCounts } from "../core/run.ts";
import type { Literals } from "../core/value.ts";
import { literalsOfInputs, literalsOfOutputs } from "../idl/task-files.ts";
import { msOfTimestamp } from "../idl/time-message.ts";
import { payloadOf } from "./condition-views.ts";
import { type Connection, followed, pause, toldError } from "./connection.ts";
import { actionOf, actionViewOf, rootViewOf, runIdOf } from "./run-views.ts";

/** The first one has all there is; the next ones what changed. Actions may be told again as they were. */
export type RunUpdate = { readonly run: RunView; readonly actions: readonly Action[] };

/** An attempt that is about to begin has its log soon. */
const logPauseMs = 500;
const quietMs = 1_000;

type LogOptions = { readonly follow: boolean; readonly signal: AbortSignal };

export class RemoteRun {
  readonly name: string;
  readonly #connection: Connection;

  constructor(connection: Connection, name: string) {
    this.#connection = connection;
    this.name = name;
  }

  get #runId(): RunIdentifier {
    const { project, domain } = this.#connection;
    return create(RunIdentifierSchema, { project, domain, name: this.name });
  }

  #actionId(action: string): ActionIdentifier {
    return create(ActionIdentifierSchema, { run: this.#runId, name: action });
  }

  async read(): Promise<RunView> {
    const { runs } = this.#connection;
    const { details } = await this.#connection.ask((options) => runs.getRunDetails({ runId: this.#runId }, options));
    const root = details?.action;
    if (root === undefined) throw new GodwitError("internal", `The server says nothing of the run ${this.name}.`);
    const labels = details?.runSpec?.labels?.values ?? {};
    const abortReason = root.result.case === "abortInfo" ? root.result.value.reason : null;
    return { ...rootViewOf(root), labels, abortReason };
  }

  /** Ends when the run has; goes on where it was when the connection is lost meanwhile. */
  async *watch(signal: AbortSignal = new AbortController().signal): AsyncIterable<RunUpdate> {
    const { runs } = this.#connection;
    const told = new Map<string, string>();
    const phases = new Map<string, Action["phase"]>();
    let root: RunView | null = null;
    const open = (until: AbortSignal) => runs.watchActions({ runId: this.#runId, filter: [] }, { signal: until });
    const isDone = async (): Promise<boolean> => isTerminal((root ?? (await this.read())).phase);
    for await (const { enrichedActions } of followed(this.#connection, signal, open, isDone)) {
      const actions: Action[] = [];
      for (const { action: message } of enrichedActions) {
        if (message === undefined) continue;
        const action = actionOf(message);
        if (action.name === rootName) root = rootViewOf(message);
        const text = JSON.stringify([action.phase, action.attempt, action.endedAtMs]);
        if (told.get(action.name) === text) continue;
        told.set(action.name, text);
        phases.set(action.name, action.phase);
        actions.push(action);
      }
      if (root === null || actions.length === 0) continue;
      yield { run: { ...root, counts: countsOf(phases) }, actions };
    }
  }

  /** Resolves when the run has ended. */
  async ended(signal: AbortSignal = new AbortController().signal): Promise<RunView> {
    const { runs } = this.#connection;
    let last: RunView | null = null;
    const open = (until: AbortSignal) =>
      runs.watchActionDetails({ actionId: this.#actionId(rootName) }, { signal: until });
    const isDone = async (): Promise<boolean> => isTerminal((last ?? (await this.read())).phase);
    for await (const { details } of followed(this.#connection, signal, open, isDone)) {
      if (details !== undefined) last = rootViewOf(details);
      if (last !== null && isTerminal(last.phase)) break;
    }
    return this.read();
  }

  async action(name: string = rootName): Promise<ActionView> {
    const { runs } = this.#connection;
    const { details } = await this.#connection.ask((options) =>
      runs.getActionDetails({ actionId: this.#actionId(name) }, options),
    );
    if (details === undefined) throw new GodwitError("internal", `The server says nothing of the action ${name}.`);
    return actionViewOf(details);
  }

  /** Values by name; outputs null until it has succeeded. */
  async values(view: ActionView): Promise<{ readonly inputs: Literals; readonly outputs: Literals | null }> {
    const { data } = this.#connection;
    const types = view.spec?.interface ?? { inputs: [], outputs: [] };
    const { inputs, outputs } = await this.#connection.ask((options) =>
      data.getActionData({ actionId: this.#actionId(view.action.name) }, options),
    );
    return {
      inputs: literalsOfInputs(inputs, types),
      outputs: isSuccess(view.action.phase) ? literalsOfOutputs(outputs, types) : null,
    };
  }

  async actions(limit: number, token: string | null = null): Promise<Page<Action>> {
    const { runs } = this.#connection;
    const request = create(ListRequestSchema, { limit, token: token ?? "" });
    const answer = await this.#connection.ask((options) => runs.listActions({ request, runId: this.#runId }, options));
    return { items: answer.actions.map(actionOf), token: answer.token || null };
  }

  /** Of one attempt; with `follow` until it ends, also over a lost connection. */
  async *logs(action: string, attempt: number, options: LogOptions): AsyncIterable<LogRead> {
    const { follow, signal } = options;
    for (;;) {
      try {
        yield* this.#lines(action, attempt, options);
        return;
      } catch (error) {
        const told = toldError(error, this.#connection.endpoint);
        if (told.code !== "not_found" || !follow || signal.aborted) throw told;
        if (isTerminal((await this.action(action)).action.phase)) return;
        await pause(logPauseMs, signal);
      }
    }
  }

  async *#lines(action: string, attempt: number, { follow, signal }: LogOptions): AsyncIterable<LogRead> {
    const actionId = this.#actionId(action);
    const quiet = new Quiet(follow, signal);
    let read = 0;
    let at = 0;
    const open = (until: AbortSignal) => {
      at = 0;
      return this.#connection.data.tailLogs({ actionId, attempt }, { signal: until });
    };
    for await (const { logs } of followed(this.#connection, quiet.signal, open, () => true)) {
      quiet.heard();
      for (const { message, timestamp } of logs.flatMap(({ lines }) => lines)) {
        at += 1;
        // Told anew from the beginning after the connection was lost.
        if (at <= read) continue;
        read = at;
        const atMs = timestamp === undefined ? 0 : msOfTimestamp(timestamp);
        yield { attempt, line: { atMs, stream: "stdout", text: message.replace(/\n$/, "") } };
      }
    }
  }

  async abort(reason: string, action: string | null = null): Promise<void> {
    const { runs } = this.#connection;
    await this.#connection.ask(async (options) => {
      if (action === null) await runs.abortRun({ runId: this.#runId, reason }, options);
      else await runs.abortAction({ actionId: this.#actionId(action), reason }, options);
    });
  }

  /** `condition` is the name of the action that waits. */
  async signal(condition: ActionView, value: unknown): Promise<void> {
    const { signals } = this.#connection;
    const { name, parent } = condition.action;
    const payload = payloadOf(value, condition.condition?.valueType ?? null);
    const actionId = this.#actionId(name);
    await this.#connection.ask((options) =>
      signals.signalEvent({ actionId, parentActionName: parent ?? "", payload }, options),
    );
  }

  /** Where to read the page that an action made; null: it made none. */
  async reportUrl(action: string, attempt: number): Promise<string | null> {
    const { data } = this.#connection;
    const source = { case: "actionAttemptId", value: { actionId: this.#actionId(action), attempt } } as const;
    const { preSignedUrls } = await this.#connection.ask((options) =>
      data.createDownloadLink({ artifactType: 1, source: source as never }, options),
    );
    return preSignedUrls?.signedUrl[0] ?? null;
  }

  get id(): number {
    const { project, domain } = this.#connection;
    return runIdOf({ project, domain, name: this.name });
  }
}

/** Without `follow` the log of what still runs is what there is by now: the stream ends when nothing comes for a while. */
class Quiet {
  readonly signal: AbortSignal;
  readonly #ending = new AbortController();
  readonly #timer: NodeJS.Timeout | null;

  constructor(follow: boolean, signal: AbortSignal) {
    this.signal = follow ? signal : AbortSignal.any([signal, this.#ending.signal]);
    this.#timer = follow ? null : setTimeout(() => this.#ending.abort(), quietMs).unref();
  }

  heard(): void {
    this.#timer?.refresh();
  }
}

function countsOf(phases: ReadonlyMap<string, Action["phase"]>): PhaseCounts {
  const counts: { [phase in Action["phase"]]?: number } = {};
  for (const phase of phases.values()) counts[phase] = (counts[phase] ?? 0) + 1;
  return counts;
}
