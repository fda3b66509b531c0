// Which GPUs this machine has, as `nvidia-smi` tells, and which of them the operator left visible.
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { Gpu } from "../core/resources.ts";

/** A device with the name that holds on every machine, where that was asked for. */
export type ListedGpu = Gpu & { readonly uuid: string | null };

type Variables = { readonly [name: string]: string | undefined };

/** A driver that hangs is as good as none. */
const timeoutMs = 5_000;

const program = "nvidia-smi";

/** None where there is no `nvidia-smi`, or it fails. What it takes to find that out is a look at PATH. */
export async function listGpus(env: Variables, signal?: AbortSignal): Promise<readonly Gpu[]> {
  const visible = env.CUDA_VISIBLE_DEVICES;
  const path = visible?.trim() === "" ? null : pathOf(program, env);
  if (path === null) return [];
  // Only who names devices by their UUID needs to know them.
  const columns = `index,name,memory.total${/[a-z]/i.test(visible ?? "") ? ",uuid" : ""}`;
  const printed = await printedBy(path, [`--query-gpu=${columns}`, "--format=csv,noheader,nounits"], env, signal);
  return visibleGpus(parseGpus(printed), visible).map(({ index, model, memoryBytes }) => ({
    index,
    model,
    memoryBytes,
  }));
}

/** `0, NVIDIA A100-SXM4-40GB, 40960`, a line each; what is no such line is left out. */
export const parseGpus = (printed: string): readonly ListedGpu[] =>
  printed.split("\n").flatMap((line) => {
    const [, index, model = "", memory = "", uuid] = /^\s*(\d+), (.+?), ([^,]+?)(?:, ([^,\s]+))?\s*$/.exec(line) ?? [];
    if (index === undefined) return [];
    const mebibytes = /^\d+$/.test(memory) ? Number(memory) : null;
    return [
      {
        index: Number(index),
        model: model.trim(),
        memoryBytes: mebibytes === null ? null : mebibytes * 2 ** 20,
        uuid: uuid ?? null,
      },
    ];
  });

/** As CUDA does it: in the order that CUDA_VISIBLE_DEVICES names them, up to the first that there is not. */
export function visibleGpus(gpus: readonly ListedGpu[], visible: string | undefined): readonly ListedGpu[] {
  if (visible === undefined) return gpus;
  const found: ListedGpu[] = [];
  for (const word of visible.split(",").map((text) => text.trim())) {
    const gpu = gpus.find(
      ({ index, uuid }) => String(index) === word || (/^GPU-/i.test(word) && uuid?.startsWith(word) === true),
    );
    if (gpu === undefined) break;
    if (!found.includes(gpu)) found.push(gpu);
  }
  return found;
}

function pathOf(name: string, env: Variables): string | null {
  for (const dir of (env.PATH ?? "").split(delimiter).filter((each) => each !== "")) {
    try {
      accessSync(join(dir, name), constants.X_OK);
      return join(dir, name);
    } catch {
      // Not in this one.
    }
  }
  return null;
}

function printedBy(path: string, args: readonly string[], env: Variables, signal?: AbortSignal): Promise<string> {
  const options = {
    encoding: "utf8",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    maxBuffer: 2 ** 20,
    env,
    ...(signal === undefined ? {} : { signal }),
  } as const;
  return new Promise((resolve) => {
    const child = execFile(path, [...args], options, (error, stdout) => resolve(error === null ? stdout : ""));
    // Whatever it has started may hold its pipe open for longer.
    signal?.addEventListener("abort", () => child.stdout?.destroy(), { once: true });
  });
}
