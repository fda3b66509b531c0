// What operators say in environment variables and flags.
import { GodwitError } from "../core/error.ts";
import { byteAmount, counts, cpuMillis, wholeNumber } from "../core/quantities.ts";
import {
  type Check,
  type Decisions,
  gpuList,
  type SettingsFlags,
  share,
  type Variables,
  wholeFrom,
} from "./decisions.ts";

/** Variables and flags say the same of the machine, under other names. */
type Words = {
  readonly [setting in "cpu" | "memory" | "disk" | "gpus"]: readonly [name: string, text: string | undefined];
};

export function variableDecisions(env: Variables): Decisions {
  const given = (name: string): readonly [string, string | undefined] => [
    name,
    env[name] === "" ? undefined : env[name],
  ];
  const amounts = (name: string, least: number) => amountsOf(name, given(name)[1]?.split(",") ?? [], wholeFrom(least));
  const [runLimit, run] = given("GODWIT_RUN_LIMIT");
  return {
    machine: machineOf(
      {
        cpu: given("GODWIT_CPU"),
        memory: given("GODWIT_MEMORY"),
        disk: given("GODWIT_DISK"),
        gpus: given("GODWIT_GPUS"),
      },
      amounts("GODWIT_TOKENS", 0),
    ),
    limits: {
      ...(run === undefined ? {} : { run: wholeNumber(number(run), counts, runLimit) }),
      projects: amounts("GODWIT_PROJECT_LIMITS", 0),
      environments: amounts("GODWIT_ENVIRONMENT_LIMITS", 0),
      tasks: amounts("GODWIT_TASK_LIMITS", 0),
    },
    shares: amountsOf("GODWIT_SHARES", given("GODWIT_SHARES")[1]?.split(",") ?? [], share),
  };
}

export const flagDecisions = ({ cpu, memory, disk, gpus, tokens = [] }: SettingsFlags): Decisions => ({
  machine: machineOf(
    { cpu: ["--cpu", cpu], memory: ["--memory", memory], disk: ["--disk", disk], gpus: ["--gpus", gpus] },
    amountsOf("--token", tokens, wholeFrom(0)),
  ),
  limits: {},
  shares: {},
});

function machineOf(words: Words, tokens: { readonly [name: string]: number }): Decisions["machine"] {
  const [cpuName, cpu] = words.cpu;
  const [memoryName, memory] = words.memory;
  const [diskName, disk] = words.disk;
  const [gpusName, gpus] = words.gpus;
  return {
    ...(cpu === undefined ? {} : { cpuMillis: cpuMillis(cpu, cpuName) }),
    ...(memory === undefined ? {} : { memoryBytes: byteAmount(memory, memoryName) }),
    ...(disk === undefined ? {} : { diskBytes: byteAmount(disk, diskName) }),
    ...(gpus === undefined ? {} : { gpus: gpuList(gpus, gpusName) }),
    ...(Object.keys(tokens).length === 0 ? {} : { tokens }),
  };
}

const number = (text: string): number => (text.trim() === "" ? Number.NaN : Number(text));

/** `name=number`, each. */
function amountsOf(what: string, words: readonly string[], check: Check): { readonly [name: string]: number } {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.lastIndexOf("=");
      const [name, value] = [word.slice(0, Math.max(0, at)).trim(), number(word.slice(at + 1))];
      if (name !== "" && !Number.isNaN(value)) return [name, check(value, `${what}: ${name}`)];
      throw new GodwitError(
        "invalid_argument",
        `${what}: ${JSON.stringify(word)} is not a name and a number, such as "licence=3".`,
      );
    }),
  );
}
