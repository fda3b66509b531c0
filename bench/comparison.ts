// The cases that all systems are given: calls at several concurrencies, ten steps, fan-out. One system after
// the other, since what the machine does meanwhile is counted as the system's (gauge.ts).
import type { Figure, Outcome } from "./figures.ts";
import { watchMemory } from "./memory.ts";
import type { CaseName, Options, SystemName } from "./options.ts";
import type { Answer, Kind, Request, Shape } from "./program.ts";
import { Late, type System, type Words } from "./system.ts";

/** A system's line in the tables. Where it has several of a kind, the first is shown for ten steps and fan-out. */
export type Line = {
  readonly kind: Kind;
  readonly shape: Shape;
  readonly units: string;
  readonly isReference: boolean;
};

export type Contestant = {
  readonly name: SystemName;
  readonly lines: readonly Line[];
  /** Whether its first line is also given the long fan-outs, which may take longer. */
  readonly isLong: boolean;
  start(): Promise<System>;
};

export type Compared = { readonly figures: readonly Figure[]; readonly words: Words | null };

type Trial = {
  readonly case: string;
  readonly line: Line;
  /** As the line is called in this case. */
  readonly units: string;
  readonly request: Request;
  readonly limitMs: number;
};

/** All common cases of one system. What fails or is late is a line as well, and the next one gets a new start. */
export async function compare(
  contestant: Contestant,
  options: Options,
  onFigure: (figure: Figure) => void,
): Promise<Compared> {
  const figures: Figure[] = [];
  let words: Words | null = null;
  let system: System | null = null;
  let unavailable: string | null = null;
  for (const trial of trialsOf(contestant, options)) {
    let outcome: Outcome;
    try {
      const hopeless = unavailable ?? foreseen(trial, figures);
      if (hopeless === null) {
        system ??= await contestant.start().catch((error: Error) => {
          unavailable = `NOT MEASURED: ${error.message}`;
          throw error;
        });
        words = system.words;
        outcome = await measure(system, trial);
      } else outcome = { type: "missing", reason: hopeless };
    } catch (error) {
      outcome = { type: "missing", reason: unavailable ?? reasonOf(error) };
      await system?.end();
      system = null;
    }
    const { kind, isReference } = trial.line;
    const figure = { case: trial.case, system: contestant.name, units: trial.units, kind, isReference, outcome };
    figures.push(figure);
    onFigure(figure);
  }
  await system?.end();
  return { figures, words };
}

const reasonOf = (error: unknown): string =>
  error instanceof Late ? error.message : `FAILED: ${error instanceof Error ? error.message : String(error)}`;

function trialsOf({ lines, isLong }: Contestant, options: Options): readonly Trial[] {
  const { cases, concurrencies, fans, seconds, limitMs, longLimitMs } = options;
  const longFans = isLong ? options.longFans : [];
  const firsts = lines.filter((line, index) => lines.findIndex(({ kind }) => kind === line.kind) === index);
  const fan = (line: Line, count: number, limit: number): Trial => ({
    case: `fan-${count}`,
    line,
    units: line.units,
    request: { type: "fan", kind: line.kind, count },
    limitMs: limit,
  });
  const made: { readonly [name in CaseName]?: () => readonly Trial[] } = {
    calls: () =>
      concurrencies.flatMap((concurrency) =>
        lines.map((line) => ({
          case: `calls-${concurrency}`,
          line,
          units:
            lines.filter(({ kind }) => kind === line.kind).length > 1 ? `${line.units}, ${line.shape}` : line.units,
          request: { type: "calls", kind: line.kind, shape: line.shape, concurrency, seconds },
          limitMs,
        })),
      ),
    ten: () =>
      firsts.map((line) => ({
        case: "ten",
        line,
        units: line.units,
        request: { type: "ten", kind: line.kind, seconds },
        limitMs,
      })),
    fan: () => [
      ...fans.flatMap((count) => firsts.map((line) => fan(line, count, limitMs))),
      ...longFans.flatMap((count) => firsts.slice(0, 1).map((line) => fan(line, count, longLimitMs))),
    ],
  };
  return cases.flatMap((name) => made[name]?.() ?? []);
}

/** A larger fan-out is not begun if, at the pace of the one before, it could not end in time. */
function foreseen({ units, request, limitMs }: Trial, figures: readonly Figure[]): string | null {
  if (request.type !== "fan") return null;
  const before = figures.findLast((figure) => figure.case.startsWith("fan-") && figure.units === units);
  if (before === undefined) return null;
  const size = before.case.slice("fan-".length);
  if (before.outcome.type === "missing") return `not tried: ${size} were not done in time`;
  const wantedMs = (before.outcome.wallMs / before.outcome.count) * request.count;
  if (wantedMs <= limitMs) return null;
  return `not tried: at the pace of ${size} it would take ${Math.round(wantedMs / 1_000)} s`;
}

async function measure(system: System, { request, limitMs }: Trial): Promise<Outcome> {
  const memory = watchMemory(process.pid);
  try {
    const answer = await system.measure(request, limitMs);
    return { type: "measured", ...answer, perSecond: perSecond(answer), peakMib: memory.peakMib() };
  } finally {
    memory.peakMib();
  }
}

const perSecond = ({ count, wallMs }: Answer): number => (count / wallMs) * 1_000;
