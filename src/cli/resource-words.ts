// What a task asks for, in words for people.
import { byteText, cpuText } from "../core/quantities.ts";
import type { Resources } from "../core/resources.ts";

/** What it asks for beyond the usual one core; `memory: 4 GiB`, each. */
export const resourceWords = ({
  cpuMillis,
  gpus,
  memoryBytes,
  diskBytes,
  tokens = {},
}: Resources): readonly string[] => [
  ...(cpuMillis === 1_000 ? [] : [`CPUs: ${cpuText(cpuMillis)}`]),
  ...(gpus === undefined ? [] : [`GPUs: ${gpus.count}${gpus.model === null ? "" : ` ${gpus.model}`}`]),
  ...(diskBytes === undefined ? [] : [`disk: ${byteText(diskBytes)}`]),
  ...Object.entries(tokens).map(([name, count]) => `token ${name}: ${count}`),
  ...(memoryBytes === null ? [] : [`memory: ${byteText(memoryBytes)}`]),
];
