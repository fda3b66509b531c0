// What people, tasks and executors of the model ask and report. The model is told first, and holds the
// answers against what it knows.

import type { NewRun } from "../../src/control/control.ts";
import { type Action, systemError } from "../../src/core/action.ts";
import type { Call, CallAnswer, Outcome } from "../../src/core/messages.ts";
import { keyOf } from "./ledger.ts";
import { ends } from "./rules.ts";
import { textOf } from "./tasks.ts";
import { type OpenedEngine, scope, type World } from "./world.ts";

export async function created(world: World, wanted: NewRun): Promise<void> {
  const { ledger, control } = world;
  const { run } = await control.createRun(scope, wanted).catch((error) => {
    expected("already_exists")(error);
    return { run: null };
  });
  if (run === null) return;
  const root = ledger.rows.get(keyOf(run.id, "a0"));
  if (
    run.name !== wanted.name ||
    root?.label !== wanted.task.slice(2) ||
    root.inputs.type !== "inline" ||
    root.inputs.text !== JSON.stringify(wanted.inputs)
  )
    ledger.violations.push(`the answer to the creation of ${wanted.name} is another run`);
  const server = ledger.servers.get(run.id);
  const first = world.openEngines[0];
  if (server === undefined && first !== undefined) world.serve(first, run.id);
}

export async function called(
  world: World,
  caller: { run: number; action: string; attempt: number },
  calls: readonly Call[],
): Promise<void> {
  const { ledger } = world;
  const isCurrent = (): boolean => {
    const row = ledger.rows.get(keyOf(caller.run, caller.action));
    return row?.phase === "running" && row.attempt === caller.attempt;
  };
  const asked = ledger.rows.get(keyOf(caller.run, caller.action));
  const isOver = asked !== undefined && (asked.attempt > caller.attempt || ends.includes(asked.phase));
  const existed = new Set(calls.map(({ name }) => name).filter((name) => ledger.rows.has(keyOf(caller.run, name))));
  ledger.called(caller, calls);
  try {
    const answers = await world.callsOf(caller.run).call(caller, calls);
    if (isOver) ledger.violations.push(`${caller.action}#${caller.attempt} was answered though it was over`);
    ledger.atRest.push(() => {
      for (const [index, answer] of answers.entries()) {
        const call = calls[index] as Call;
        if (!isRight(ledger.rows.get(keyOf(caller.run, call.name)), caller.action, call, answer, existed))
          ledger.violations.push(`the call ${textOf(call)} is answered ${JSON.stringify(answer)}`);
      }
    });
  } catch (error) {
    expected("aborted")(error);
    const isKilled = (error as { readonly code?: unknown }).code === "unavailable";
    ledger.atRest.push(() => {
      if (isCurrent() && !isKilled) ledger.violations.push(`${caller.action}#${caller.attempt} runs and may not call`);
    });
  }
}

/** `row`: as the call's name stands now that everything was told; `existed`: what had been told of when it was made. */
function isRight(
  row: Action | undefined,
  parent: string,
  call: Call,
  answer: CallAnswer,
  existed: ReadonlySet<string>,
): boolean {
  const hash = call.type === "condition" ? "" : call.inputsHash;
  const isSame = row?.parent === parent && row.identity === call.identity && row.inputsHash === hash;
  if ("refused" in answer) return row !== undefined && !isSame;
  return answer.phase === null ? !existed.has(call.name) : isSame;
}

export async function aborted(world: World, row: Action, abort: () => Promise<unknown>): Promise<void> {
  const key = keyOf(row.run, row.name);
  world.ledger.unwanted.add(key);
  await abort().catch((error: unknown) => {
    expected("aborted")(error);
    world.ledger.unwanted.delete(key);
  });
}

export function signal(world: World, row: Action, value: boolean): void {
  const { ledger } = world;
  const key = keyOf(row.run, row.name);
  const waits = ledger.rows.get(key)?.phase === "paused";
  ledger.signalled(key, { type: "inline", text: JSON.stringify({ o0: { type: "boolean", value } }) });
  const told = world.control
    .signal(scope, runName(world, row.run), row.name, value)
    .then(
      () => (waits ? undefined : ledger.violations.push(`${nameOf(world, row)} took a signal though it was over`)),
      expected("failed_precondition"),
    );
  world.start(told);
}

/** By the executor that runs it; if none does, by any. */
export function report(
  world: World,
  { run, name }: Pick<Action, "run" | "name">,
  attempt: number,
  result: Outcome["result"],
  detour = 0,
): void {
  const outcome = { run, action: name, attempt, result };
  const id = keyOf(run, name);
  const has = ({ executor }: OpenedEngine): boolean =>
    executor.running().some((each) => keyOf(each.run, each.action) === id && each.attempt === attempt);
  const open = world.openEngines;
  const opened = open.find(has) ?? open[detour % open.length];
  if (opened === undefined) return;
  world.ledger.reported(outcome);
  opened.executor.report(outcome);
}

export function resultOf(choice: number): { readonly text: string; readonly result: Outcome["result"] } {
  const failed = (text: string, kind: "user" | "system", recoverable: boolean, code = "Broken") => ({
    text,
    result: { type: "failed", error: { ...systemError(code, "it broke"), kind, recoverable } } as const,
  });
  switch (choice) {
    case 0:
    case 1:
      return { text: "success", result: { type: "succeeded", outputs: output() } };
    case 2:
      return failed("a user's error", "user", true);
    case 3:
      return failed("a system's error", "system", true);
    case 4:
      return failed("that it ran out of memory", "user", true, "OOMKilled");
    case 5:
      return failed("an error for good", "user", false);
    case 6:
      return { text: "an interruption", result: { type: "interrupted" } };
    default:
      return failed("a user's error", "user", true);
  }
}

let outputCount = 0;
/** No two are alike, so that one can never pass for another. */
export const output = () => ({ type: "inline", text: `{"o0":{"type":"integer","value":"${++outputCount}"}}` }) as const;

export const nameOf = ({ ledger }: World, row: Pick<Action, "run" | "name">): string => ledger.nameOf(row);

export const runName = ({ ledger }: World, id: number): string => ledger.runs.get(id)?.name ?? "";

/** Besides, whoever was asked may have been killed. */
export const expected =
  (code: string) =>
  (error: unknown): void => {
    const found = (error as { readonly code?: unknown }).code;
    if (found !== code && found !== "unavailable") throw error;
  };
