// What operators decide about an engine: what of the machine it may give out, how much may run at once, and
// whose work comes first. From a file, environment variables and flags; for the rest, from the machine itself.
//
// R1  Flags go over environment variables, and these over the file, setting by setting; limits, shares and
//     tokens name by name.
// R2  The file follows from the data directory alone, so that all processes on one find the same.
import { dirname, join, resolve } from "node:path";
import {
  type ConcurrencyLimits,
  fitsModel,
  type Gpu,
  type GpuRequest,
  type Machine,
  type Shares,
} from "../core/resources.ts";
import { listGpus, readBasics } from "../machine/machine.ts";
import type { Decisions, SettingsFlags, Variables } from "./decisions.ts";
import { fileDecisions } from "./file-decisions.ts";
import { flagDecisions, variableDecisions } from "./text-decisions.ts";

export { type Decisions, noDecisions, type SettingsFlags } from "./decisions.ts";
export { defaultImageSettings, type ImageSettings, readImageSettings } from "./image-settings.ts";
export { dataDirIn, readServerSettings, type ServerFlags, type ServerSettings } from "./server-settings.ts";

export type EngineSettings = {
  readonly machine: Machine;
  readonly limits: ConcurrencyLimits;
  readonly shares: Shares;
};

export type SettingsSources = {
  readonly dataDir: string;
  readonly env: Variables;
  readonly flags?: SettingsFlags;
};

export const settingsFileName = "godwit.config.json";

/** R2: beside the data directory, which is beside package.json unless somebody says otherwise. */
export const settingsFile = ({ dataDir, env }: Pick<SettingsSources, "dataDir" | "env">): string =>
  env.GODWIT_CONFIG === undefined || env.GODWIT_CONFIG === ""
    ? join(dirname(resolve(dataDir)), settingsFileName)
    : resolve(env.GODWIT_CONFIG);

/** R1. Reads one small file. Throws `invalid_argument`, which names the place, for what cannot be meant. */
export function readDecisions(sources: SettingsSources): Decisions {
  const file = settingsFile(sources);
  const isNamed = (sources.env.GODWIT_CONFIG ?? "") !== "";
  const parts = [fileDecisions(file, isNamed), variableDecisions(sources.env), flagDecisions(sources.flags ?? {})];
  return parts.reduce(over);
}

const over = (below: Decisions, above: Decisions): Decisions => ({
  machine: {
    ...below.machine,
    ...above.machine,
    ...(below.machine.tokens === undefined && above.machine.tokens === undefined
      ? {}
      : { tokens: { ...below.machine.tokens, ...above.machine.tokens } }),
  },
  limits: {
    ...below.limits,
    ...above.limits,
    projects: { ...below.limits.projects, ...above.limits.projects },
    environments: { ...below.limits.environments, ...above.limits.environments },
    tasks: { ...below.limits.tasks, ...above.limits.tasks },
  },
  shares: { ...below.shares, ...above.shares },
});

/** What is known at once: all but GPUs, of which there are none in it. */
export function settingsWithoutGpus({ machine, limits, shares }: Decisions, dataDir: string): EngineSettings {
  const { cpuMillis, memoryBytes, diskBytes, tokens } = { ...readBasics(dataDir), tokens: {}, ...machine };
  return { machine: { cpuMillis, memoryBytes, diskBytes, gpus: [], tokens }, limits, shares };
}

/** Asks the driver, where there is one, for what it takes; `signal` calls it off. Never rejects. */
export async function findGpus({ machine }: Decisions, env: Variables, signal?: AbortSignal): Promise<readonly Gpu[]> {
  if (machine.gpus?.length === 0) return [];
  const listed = await listGpus(env, signal);
  return machine.gpus === undefined ? listed : declaredGpus(machine.gpus, listed);
}

/** All of it; takes as long as the GPUs do. */
export async function engineSettings(sources: SettingsSources, signal?: AbortSignal): Promise<EngineSettings> {
  const decisions = readDecisions(sources);
  const settings = settingsWithoutGpus(decisions, sources.dataDir);
  const gpus = await findGpus(decisions, sources.env, signal);
  return { ...settings, machine: { ...settings.machine, gpus } };
}

/** Those of the machine that fit what the operator says; for what it does not list, the operator's word counts. */
export function declaredGpus(declared: readonly GpuRequest[], listed: readonly Gpu[]): readonly Gpu[] {
  const given: Gpu[] = [];
  const isFree = ({ index }: Gpu): boolean => given.every((gpu) => gpu.index !== index);
  for (const { count, model } of declared) {
    for (let left = count; left > 0; left--) {
      const found = listed.find((gpu) => isFree(gpu) && fitsModel(gpu.model, model));
      given.push(found ?? { index: freeIndex(given, listed), model: model ?? "GPU", memoryBytes: null });
    }
  }
  return given;
}

function freeIndex(given: readonly Gpu[], listed: readonly Gpu[]): number {
  const taken = new Set([...given, ...listed].map(({ index }) => index));
  let index = 0;
  while (taken.has(index)) index++;
  return index;
}
