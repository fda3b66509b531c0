// The work that every system is given, in the same words: a program says how it makes durable calls, and
// `answer` makes it do so, measures it and checks what came back. For Godwit the program is a user's task
// file, for the others a process of its own.
//
// R1  Warm: what is measured was done before, for at least a second, by the same processes.
// R2  Right: the sum of all results is checked; a wrong one is an error and no figure.
// R3  A call is a unit that the system tracks, with an identity, input, output and retries of its own. A
//     loop inside a process is none.
import { diskFlushes, percentile, processorMs } from "./gauge.ts";

/** A `task` may run in any process that serves it; a `step` is run by its parent, and only recorded. */
export type Kind = "task" | "step";

/** `window`: one parent with so many calls in flight. `chains`: so many parents, each with one. */
export type Shape = "window" | "chains";

export type Request =
  | {
      readonly type: "calls";
      readonly kind: Kind;
      readonly shape: Shape;
      readonly concurrency: number;
      readonly seconds: number;
    }
  | { readonly type: "ten"; readonly kind: Kind; readonly seconds: number }
  | { readonly type: "fan"; readonly kind: Kind; readonly count: number };

export type Answer = {
  readonly count: number;
  readonly wallMs: number;
  /** Of all processes of the system. Null where the kernel does not tell. */
  readonly processorMs: number | null;
  /** Of the disk, whoever asked for them. Null where the kernel does not tell. */
  readonly flushes: number | null;
  /** Of one unit after the other; null where many go at once. */
  readonly latency: { readonly p50Ms: number; readonly p99Ms: number } | null;
};

/** Calls `from` to `from + count`; call x gives x + 1. All of them resolve to the sum of the results. */
export type Span = { readonly kind: Kind; readonly from: number; readonly count: number };

export type Program = {
  /** A parent that makes its calls one after another. */
  chain(span: Span): Promise<number>;
  /** A parent that makes all its calls at once, the way the system's documents do it. */
  fan(span: Span): Promise<number>;
  /** A parent with so many calls in flight; a program without one is not asked for it. */
  window?(span: Span, concurrency: number): Promise<number>;
};

/**
 * Calls of one parent in a chain: at most so many, since some systems grow slower with a parent's history;
 * and at least so many, or the parents would be what is measured.
 */
const maxChain = 100;
const minChain = 10;

export async function answer(program: Program, request: Request): Promise<Answer> {
  switch (request.type) {
    case "calls":
      return paced((count) => calls(program, request, count), request);
    case "ten":
      return tens(program, request);
    case "fan": {
      const { kind, count } = request;
      await checked(program.fan({ kind, from: 0, count: Math.min(count, 200) }), 0, Math.min(count, 200));
      return timed(count, () => checked(program.fan({ kind, from: 0, count }), 0, count));
    }
  }
}

type Calls = Extract<Request, { readonly type: "calls" }>;

async function calls(program: Program, { kind, shape, concurrency }: Calls, count: number): Promise<void> {
  if (shape === "window") {
    if (program.window === undefined) throw new Error("This program has no window.");
    await checked(program.window({ kind, from: 0, count }, concurrency), 0, count);
    return;
  }
  const rounds = Math.ceil(count / concurrency / maxChain);
  const share = Math.ceil(count / concurrency / rounds);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const from = next;
      next += share;
      const length = Math.min(next, count) - from;
      await checked(program.chain({ kind, from, count: length }), from, length);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}

const maxTries = 4;

/**
 * Batches that grow until one takes a quarter of the time; then as many calls as should fill the time. If they take
 * less than half of it, the system was still warming up when that was reckoned, and more of them are measured.
 */
async function paced(work: (count: number) => Promise<void>, request: Calls): Promise<Answer> {
  const { concurrency, seconds } = request;
  const least = Math.max(50, concurrency * minChain);
  for (let count = least, warmMs = 0; ; count *= 3) {
    const wallMs = await elapsedMs(() => work(count));
    warmMs += wallMs;
    if (wallMs < seconds * 250 || warmMs < Math.min(1_000, seconds * 1_000)) continue;
    for (let rate = count / wallMs, tries = 1; ; tries++) {
      const filling = Math.max(least, Math.ceil(rate * seconds * 1_000));
      const answer = await timed(filling, () => work(filling));
      if (answer.wallMs > seconds * 500 || filling === least || tries === maxTries) return answer;
      rate = filling / answer.wallMs;
    }
  }
}

const callsOfTen = 10;

async function tens(program: Program, { kind, seconds }: Extract<Request, { type: "ten" }>): Promise<Answer> {
  const ten = (): Promise<void> => checked(program.chain({ kind, from: 0, count: callsOfTen }), 0, callsOfTen);
  const warmUntil = performance.now() + Math.min(2_000, seconds * 500);
  while (performance.now() < warmUntil) await ten();
  const latencies: number[] = [];
  const whole = await timed(0, async () => {
    const begunAt = performance.now();
    const isEnough = (): boolean => {
      const times = (performance.now() - begunAt) / 1_000 / seconds;
      // Of fewer than a hundred, one in a hundred is none.
      return times > 1 && latencies.length >= (times > 4 ? 20 : 100);
    };
    while (!isEnough()) latencies.push(await elapsedMs(ten));
  });
  const latency = { p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) };
  return { ...whole, count: latencies.length, latency };
}

async function timed(count: number, work: () => Promise<void>): Promise<Answer> {
  const before = { processorMs: processorMs(), flushes: diskFlushes() };
  const wallMs = await elapsedMs(work);
  return {
    count,
    wallMs,
    processorMs: difference(before.processorMs, processorMs()),
    flushes: difference(before.flushes, diskFlushes()),
    latency: null,
  };
}

const difference = (before: number | null, after: number | null): number | null =>
  before === null || after === null ? null : after - before;

async function elapsedMs(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** R2 */
async function checked(sum: Promise<number>, from: number, count: number): Promise<void> {
  const expected = (count * (from + 1 + from + count)) / 2;
  const found = await sum;
  if (found !== expected) throw new Error(`${count} calls gave ${found} in sum, not ${expected}.`);
}

/** The inputs of a span. */
export const inputsOf = ({ from, count }: Span): readonly number[] =>
  Array.from({ length: count }, (_, index) => from + index);

export const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
