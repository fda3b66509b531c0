// What a container of the protocol asks for (core/tasks.proto) as resources of core.

import {
  type Container,
  type ExtendedResources,
  Resources_ResourceName as Name,
  type Resources_ResourceEntry,
} from "#idl/flyteidl2/core/tasks_pb.js";
import { GodwitError } from "../core/error.ts";
import { byteAmount, cpuMillis, maxGpus } from "../core/quantities.ts";
import type { GpuRequest, Resources } from "../core/resources.ts";

/** What is set aside for a task that asks for nothing: a core, as for tasks of our own SDK. */
const usualCpuMillis = 1_000;

/** `what` names the task, for errors. Throws `invalid_argument` for amounts that are none. */
export function resourcesOfContainer(
  container: Pick<Container, "resources">,
  extended: ExtendedResources | undefined,
  what: string,
): Resources {
  const { requests = [], limits = [] } = container.resources ?? {};
  const cpu = amountOf([requests, limits], Name.CPU);
  // What a task may use at most is what is held to it, so that is what is set aside as well.
  const memory = amountOf([limits, requests], Name.MEMORY);
  const disk = amountOf([limits, requests], Name.EPHEMERAL_STORAGE) ?? amountOf([limits, requests], Name.STORAGE);
  const gpus = gpusOf(amountOf([requests, limits], Name.GPU), extended, what);
  return {
    cpuMillis: cpu === null ? usualCpuMillis : cpuMillis(cpu, `${what}: resources.cpu`),
    memoryBytes: memory === null ? null : byteAmount(quantity(memory), `${what}: resources.memory`),
    ...(gpus === null ? {} : { gpus }),
    ...(disk === null ? {} : { diskBytes: byteAmount(quantity(disk), `${what}: resources.disk`) }),
  };
}

/** The first list's word counts. Zero is as good as nothing. */
function amountOf(lists: readonly (readonly Resources_ResourceEntry[])[], name: Name): string | null {
  for (const list of lists) {
    const value = list.find((entry) => entry.name === name)?.value.trim() ?? "";
    if (value !== "" && Number.parseFloat(value) !== 0) return value;
  }
  return null;
}

/** Kubernetes' notations that people do not write: 128e6, 1k, 1Pi, 100000m. */
function quantity(text: string): string {
  const [, digits = "", unit = ""] = /^(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(k|[PE]i?|m|)$/.exec(text) ?? [];
  if (digits === "" || (unit === "" && !/[eE]/.test(digits))) return text;
  return String(Math.round(Number(digits) * (factors[unit] as number)));
}

const factors: { readonly [unit: string]: number } = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  P: 1e15,
  Pi: 2 ** 50,
  E: 1e18,
  Ei: 2 ** 60,
};

function gpusOf(text: string | null, extended: ExtendedResources | undefined, what: string): GpuRequest | null {
  if (text === null) return null;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > maxGpus) {
    throw new GodwitError(
      "invalid_argument",
      `${what}: resources.gpu: ${JSON.stringify(text)} is not a number of devices from 1 to ${maxGpus}.`,
    );
  }
  const device = extended?.gpuAccelerator?.device ?? "";
  return { count, model: device === "" ? null : modelOf(device) };
}

/** `nvidia-tesla-a100` and `nvidia-a100-80gb` name an A100, as the device calls itself. */
const modelOf = (device: string): string =>
  device
    .replace(/^nvidia-/, "")
    .replace(/^tesla-/, "")
    .replace(/-\d+gb$/, "")
    .replaceAll("-", " ")
    .toUpperCase();
