// What operators say in godwit.config.json. Read by hand: it is on the way of every start, and what is said
// of a mistake names the place in the file.
import { readFileSync } from "node:fs";
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";
import { byteAmount, cpuMillis } from "../core/quantities.ts";
import type { ConcurrencyLimits } from "../core/resources.ts";
import { type Check, type Decisions, gpuList, noDecisions, share, wholeFrom } from "./decisions.ts";

/** Nothing if there is no file, unless somebody named it. */
export function fileDecisions(file: string, isNamed: boolean): Decisions {
  const text = contentOf(file, isNamed);
  if (text === null) return noDecisions;
  const { machine, limits, shares } = object(parsed(text, file), file, ["machine", "limits", "shares"]);
  return {
    machine: machine === undefined ? {} : machineOf(machine, `${file}: machine`),
    limits: limits === undefined ? {} : limitsOf(limits, `${file}: limits`),
    shares: shares === undefined ? {} : amounts(shares, `${file}: shares`, share),
  };
}

function machineOf(value: unknown, what: string): Decisions["machine"] {
  const { cpu, memory, disk, gpus, tokens } = object(value, what, ["cpu", "memory", "disk", "gpus", "tokens"]);
  return {
    ...(cpu === undefined ? {} : { cpuMillis: cpuMillis(amount(cpu), `${what}.cpu`) }),
    ...(memory === undefined ? {} : { memoryBytes: byteAmount(amount(memory), `${what}.memory`) }),
    ...(disk === undefined ? {} : { diskBytes: byteAmount(amount(disk), `${what}.disk`) }),
    ...(gpus === undefined ? {} : { gpus: gpuList(amount(gpus), `${what}.gpus`) }),
    ...(tokens === undefined ? {} : { tokens: amounts(tokens, `${what}.tokens`, wholeFrom(0)) }),
  };
}

function limitsOf(value: unknown, what: string): ConcurrencyLimits {
  const { run, projects, environments, tasks } = object(value, what, ["run", "projects", "environments", "tasks"]);
  return {
    ...(run === undefined ? {} : { run: wholeFrom(1)(run, `${what}.run`) }),
    ...(projects === undefined ? {} : { projects: amounts(projects, `${what}.projects`, wholeFrom(0)) }),
    ...(environments === undefined
      ? {}
      : { environments: amounts(environments, `${what}.environments`, wholeFrom(0)) }),
    ...(tasks === undefined ? {} : { tasks: amounts(tasks, `${what}.tasks`, wholeFrom(0)) }),
  };
}

/** A name → number object, under names that operators choose. */
function amounts(value: unknown, what: string, check: Check): { readonly [name: string]: number } {
  return Object.fromEntries(
    Object.entries(object(value, what, null)).map(([name, number]) => [name, check(number, `${what}.${name}`)]),
  );
}

/** What quantities are written as; anything else is told as it stands there. */
const amount = (value: unknown): string | number =>
  typeof value === "number" || typeof value === "string" ? value : JSON.stringify(value);

function object(value: unknown, what: string, known: readonly string[] | null): { readonly [name: string]: unknown } {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new GodwitError("invalid_argument", `${what} has to be an object, not ${JSON.stringify(value)}.`);
  const unknown = known === null ? undefined : Object.keys(value).find((name) => !known.includes(name));
  if (known === null || unknown === undefined) return value as { readonly [name: string]: unknown };
  throw new GodwitError(
    "invalid_argument",
    `${what} has no setting "${unknown}".${didYouMean(unknown, known)} Settings: ${known.join(", ")}.`,
  );
}

function contentOf(file: string, isNamed: boolean): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" && !isNamed) return null;
    throw new GodwitError("failed_precondition", `The settings ${file} cannot be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

function parsed(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new GodwitError("invalid_argument", `${file} is not JSON: ${(error as Error).message}.`, { cause: error });
  }
}
