// What may happen in a history of the model: whom each command finds to be about, and what it then does.
import type { Action } from "../../src/core/action.ts";
import type { Call, Launch } from "../../src/core/messages.ts";
import { aborted, called, created, expected, nameOf, output, report, resultOf, runName, signal } from "./asking.ts";
import { checked } from "./comparison.ts";
import { callKinds, callOf, inputsOf, kindOf, manifest, taskSpecs, textOf } from "./tasks.ts";
import { scope, type World } from "./world.ts";

/** Small numbers, the smaller the simpler; each plan reads them in its own way. */
export type Choice = { readonly a: number; readonly b: number; readonly c: number; readonly d: number };
export type Plan = { readonly text: string; readonly act: (world: World) => void | Promise<void> };
/** Null: there is nobody to do that to. */
type Planner = (world: World, choice: Choice) => Plan | null;

/** A name stands for one of two calls, so that attempts and runs often make again what others made. */
const callNumber = (number: number, choice: number): Call =>
  callOf(
    pick([..."bcdef"], number) as string,
    ((number % 5) * 2 + (choice > 4 ? 1 : 0)) % callKinds,
    choice === 9 ? 1 : 0,
  );

/** With nobody to do that to, there should be somebody. */
export const planOf = (name: string, world: World, choice: Choice): Plan | null =>
  planners[name]?.(world, choice) ?? (running(world).length === 0 ? (planners.create?.(world, choice) ?? null) : null);

export const planners: { readonly [name: string]: Planner } = {
  create: (world, { a, b, c, d }) => {
    const name = `r${a % 3}`;
    // Mostly the same, so that keys meet.
    const n = c % 4 === 3 ? 1 : 0;
    const spec = pick(taskSpecs, b) as (typeof taskSpecs)[number];
    const overwriteCache = d === 2 || d === 3;
    const recovered = d < 4 ? undefined : world.ledger.committedRuns.find((run) => run.name !== name);
    const recovers = recovered?.name ?? null;
    const text = `create ${name}: ${spec.shortName}(${n})${overwriteCache ? " overwriting the cache" : ""}${recovers === null ? "" : ` recovering ${recovers}`}`;
    const source = { file: "model.ts", projectDir: "/" };
    const wanted = { name, manifest, task: spec.name, inputs: inputsOf(n), source, overwriteCache, recovers };
    return { text, act: () => world.start(created(world, wanted)) };
  },
  call: (world, { a, b, c, d }) => {
    const isLate = d === 7;
    const callers = isLate
      ? [...world.ledger.launches.values()]
      : running(world).map(({ run, name, attempt }) => ({ run, action: name, attempt }));
    const launch = pick(callers, a);
    if (launch === undefined) return null;
    const caller = { run: launch.run, action: launch.action, attempt: launch.attempt };
    const calls = Array.from({ length: 1 + (d % 3) }, (_, index) => callNumber(b + index, c));
    const text = `${runName(world, caller.run)}/${caller.action}#${caller.attempt} calls ${calls.map(textOf).join(", ")}`;
    return { text, act: () => world.start(called(world, caller, calls)) };
  },
  report: (world, { a, b, c, d }) => {
    const row = pickRunning(world, a);
    if (row === undefined) return null;
    const { text, result } = resultOf(b);
    const times = d === 6 ? 2 : 1;
    return {
      text: `${nameOf(world, row)}#${row.attempt} reports ${text}${times === 2 ? ", and then success" : ""}`,
      act: () => {
        report(world, row, row.attempt, result, c);
        if (times === 2) report(world, row, row.attempt, { type: "succeeded", outputs: output() }, c + 1);
      },
    };
  },
  "report late": (world, { a, b, c, d }) => {
    const launch = pick([...world.ledger.launches.values()], a);
    if (launch === undefined) return null;
    const attempt = launch.attempt + (d === 0 ? 1 : 0);
    const { text, result } = resultOf(b);
    const row = { run: launch.run, name: d === 1 ? "nobody" : launch.action };
    return {
      text: `${nameOf(world, row)}#${attempt} reports, late or early, ${text}`,
      act: () => report(world, row, attempt, result, c),
    };
  },
  checkpoint: (world, { a, b, d }) => {
    const row = pick(running(world), a);
    if (row === undefined) return null;
    const attempt = row.attempt - (d === 0 ? 1 : 0);
    const checkpoint = { type: "json", digest: `checkpoint ${b}`, sizeBytes: b } as const;
    const attached = world
      .callsOf(row.run)
      .attach({ run: row.run, action: row.name, attempt }, { type: "checkpoint", checkpoint });
    return {
      text: `${nameOf(world, row)}#${attempt} keeps a checkpoint ${b}`,
      act: () => world.start(attached.catch(expected("aborted"))),
    };
  },
  "abort calls": (world, { a, b }) => {
    const row = pick(running(world), a);
    if (row === undefined) return null;
    const children = rowsOf(world, ({ run, parent }) => run === row.run && parent === row.name);
    const child = pick(children, b);
    if (child === undefined) return null;
    const caller = { run: row.run, action: row.name, attempt: row.attempt };
    return {
      text: `${nameOf(world, row)} gives up ${child.name}`,
      act: () =>
        world.start(aborted(world, child, () => world.callsOf(row.run).abortCalls(caller, [child.name], "given up"))),
    };
  },
  "abort action": (world, { a }) => {
    const row = pick(
      rowsOf(world, () => true),
      a,
    );
    if (row === undefined) return null;
    const run = runName(world, row.run);
    return {
      text: `abort ${nameOf(world, row)}`,
      act: () => world.start(aborted(world, row, () => world.control.abortAction(scope, run, row.name, "enough"))),
    };
  },
  "abort run": (world, { a }) => {
    const root = pick(
      rowsOf(world, ({ parent }) => parent === null),
      a,
    );
    if (root === undefined) return null;
    const run = runName(world, root.run);
    return {
      text: `abort ${run}`,
      act: () => world.start(aborted(world, root, () => world.control.abortRun(scope, run, "enough"))),
    };
  },
  signal: (world, { a, b }) => {
    const row = pick(
      rowsOf(world, ({ type }) => type === "condition"),
      a,
    );
    const value = b % 3 !== 0;
    if (row === undefined) return null;
    return { text: `signal ${nameOf(world, row)}: ${value}`, act: () => signal(world, row, value) };
  },
  "pass time": (world, { a }) => {
    const ms = pick([1_000, 2_000, 6_000, 11_000, 25_000, 60_000, 100_000, 86_400_000, 30 * 86_400_000], a) ?? 0;
    return { text: `${ms / 1_000} s pass`, act: () => world.pass(ms) };
  },
  "set clock": (world, { a }) => {
    const ms = pick([-500, -5_000, -3_600_000, -40 * 86_400_000, 5_000, 3_600_000], a) ?? 0;
    return {
      text: `the clock is set by ${ms / 1_000} s`,
      act: () => {
        world.clock.set(ms);
        world.ledger.clockMoved();
        // As after a sleep of the machine.
        if (ms > 0) for (const { engine } of world.openEngines) engine.wake();
      },
    };
  },
  room: (world, { a, b }) => {
    const opened = pick(world.openEngines, a);
    if (opened === undefined) return null;
    const places = pick([Number.POSITIVE_INFINITY, 2, 1, 0], b) ?? 0;
    return {
      text: `the executor of ${opened.id} has ${places} places`,
      act: () => {
        opened.executor.places = places;
      },
    };
  },
  "open engine": (world) =>
    world.openEngines.length >= 2
      ? null
      : { text: `an engine e${world.engines.length} opens`, act: async () => void (await world.openEngine()) },
  "close engine": (world, { a }) => {
    const opened = pick(world.openEngines, a);
    if (opened === undefined) return null;
    return { text: `${opened.id} closes`, act: () => world.start(world.closeEngine(opened)) };
  },
  "kill engine": (world, { a }) => {
    const opened = world.ground === "file" ? pick(world.openEngines, a) : undefined;
    if (opened === undefined) return null;
    return { text: `${opened.id} is killed`, act: () => world.start(world.killEngine(opened)) };
  },
  serve: (world, { a, b }) => {
    const opened = pick(world.openEngines, a);
    const run = pick(world.ledger.committedRuns, b);
    if (opened === undefined || run === undefined) return null;
    return { text: `${opened.id} is to serve ${run.name}`, act: () => world.serve(opened, run.id) };
  },
  "empty cache": (world) => ({
    text: "the cache is emptied",
    act: async () => {
      await checked(world);
      await world.control.removeCache(scope, { all: true });
      world.ledger.entries.clear();
      world.ledger.rest();
    },
  }),
};

/** What runs the root of a new run, r0, of this task. */
export async function begun(world: World, task: string): Promise<Launch> {
  await planners.create?.(world, { a: 0, b: kindOf(task), c: 0, d: 0 })?.act(world);
  await checked(world);
  const [root] = world.ledger.launches.values();
  if (root === undefined) throw new Error("the root was not started");
  return root;
}

export const pick = <T>(items: readonly T[], choice: number): T | undefined => items[choice % items.length];

const rowsOf = ({ ledger }: World, fits: (row: Action) => boolean): readonly Action[] =>
  [...ledger.rows.values()].filter(fits);

const running = (world: World) => rowsOf(world, ({ phase, type }) => phase === "running" && type === "task");

/** Of what runs; seldom a root, with which everything ends. */
function pickRunning(world: World, choice: number): Action | undefined {
  const rows = running(world);
  const below = rows.filter(({ parent }) => parent !== null);
  return pick(below.length === 0 || choice === 11 ? rows : below, choice);
}
