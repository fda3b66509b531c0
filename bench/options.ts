// What the command line asks for.
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import { parseArgs } from "node:util";

export const systemNames = ["bare", "godwit", "dbos", "restate"] as const;
export type SystemName = (typeof systemNames)[number];

export const caseNames = ["calls", "ten", "fan", "recovery", "lookups", "tree", "start", "package"] as const;
export type CaseName = (typeof caseNames)[number];

export type Options = {
  readonly systems: readonly SystemName[];
  readonly cases: readonly CaseName[];
  readonly concurrencies: readonly number[];
  readonly fans: readonly number[];
  /** Of Godwit's tasks alone; in the others it would take hours. */
  readonly longFans: readonly number[];
  readonly treeLeaves: number;
  readonly recoveryCalls: number;
  readonly lookups: number;
  readonly starts: number;
  /** A rate or a latency is taken over this time. */
  readonly seconds: number;
  /** What one measurement of the common cases may take at most, warming up included. */
  readonly limitMs: number;
  /** The same for one command of the cases of Godwit alone, and for the long fan-out. */
  readonly longLimitMs: number;
  readonly dir: string;
  readonly json: string | null;
  /** Godwit as it is in this clone; otherwise as npm would publish it. */
  readonly isFromSource: boolean;
};

export const usage = `npm run bench -- [options]

  --only LIST      of ${systemNames.join(", ")}; default all
  --cases LIST     of ${caseNames.join(", ")};
                   default all but tree, which takes long
  --quick          small sizes and short times, to see that everything works
  --long           also the tree of 10,000,000 actions, a fan-out of 1,000,000, a million lookups
  --seconds N      time over which a rate is taken (5)
  --limit N        seconds that a measurement may take (60)
  --long-limit N   the same for the commands of what is Godwit's alone (3600)
  --at LIST        concurrencies of the calls (1,16,64,512)
  --fan LIST       sizes of the fan-out (1000,10000,100000)
  --leaves N       size of the tree
  --dir PATH       where data directories are made; it should be on the disk that you mean
  --source         Godwit from the sources of this clone, not from its package
  --json FILE      all figures for programs`;

export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      cases: { type: "string" },
      quick: { type: "boolean", default: false },
      long: { type: "boolean", default: false },
      seconds: { type: "string" },
      limit: { type: "string" },
      at: { type: "string" },
      fan: { type: "string" },
      leaves: { type: "string" },
      "long-limit": { type: "string" },
      dir: { type: "string" },
      source: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const { quick, long } = values;
  const usual = caseNames.filter((name) => name !== "tree" || long);
  return {
    systems: chosen("--only", values.only, systemNames, systemNames),
    cases: chosen("--cases", values.cases, caseNames, usual),
    concurrencies: numbers("--at", values.at, quick ? [1, 64] : [1, 16, 64, 512]),
    fans: numbers("--fan", values.fan, quick ? [100, 500] : [1_000, 10_000, 100_000]),
    longFans: long ? [1_000_000] : [],
    treeLeaves: number("--leaves", values.leaves, quick ? 2_000 : 10_000_000),
    recoveryCalls: quick ? 500 : 100_000,
    lookups: quick ? 1_000 : long ? 1_000_000 : 100_000,
    starts: quick ? 2 : 10,
    seconds: number("--seconds", values.seconds, quick ? 0.3 : 5),
    limitMs: number("--limit", values.limit, 60) * 1_000,
    longLimitMs: number("--long-limit", values["long-limit"], 3_600) * 1_000,
    dir: resolve(values.dir ?? tmpdir()),
    json: values.json === undefined ? null : resolve(values.json),
    isFromSource: values.source,
  };
}

function chosen<T extends string>(
  flag: string,
  text: string | undefined,
  known: readonly T[],
  otherwise: readonly T[],
): readonly T[] {
  if (text === undefined) return otherwise;
  const words = text.split(",").map((word) => word.trim());
  const stranger = words.find((word) => !known.some((name) => name === word));
  if (stranger !== undefined) throw new TypeError(`${flag} ${stranger}: there is ${known.join(", ")}.`);
  return known.filter((name) => words.includes(name));
}

const numbers = (flag: string, text: string | undefined, otherwise: readonly number[]): readonly number[] =>
  text === undefined ? otherwise : text.split(",").map((word) => number(flag, word, 0));

function number(flag: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new TypeError(`${flag} ${text}: a number above 0 is expected.`);
  return value;
}
