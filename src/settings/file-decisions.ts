// What operators say of an engine in godwit.config.json.
import { byteAmount, cpuMillis } from "../core/quantities.ts";
import type { ConcurrencyLimits } from "../core/resources.ts";
import { type Check, type Decisions, gpuList, noDecisions, share, wholeFrom } from "./decisions.ts";
import { object, settingsIn } from "./settings-file.ts";

/** Nothing if there is no file, unless somebody named it. */
export function fileDecisions(file: string, isNamed: boolean): Decisions {
  const content = settingsIn(file, isNamed);
  if (content === null) return noDecisions;
  const { machine, limits, shares } = content;
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
