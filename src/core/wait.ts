// Why an action does not go on, as one choice and in the words that people read.
import type { ConditionSpec } from "./messages.ts";
import { byteText, cpuText } from "./quantities.ts";
import type { WaitReason } from "./resources.ts";

export type Wait =
  | WaitReason
  /** `godwit signal run label example` answers it. */
  | { readonly type: "signal"; readonly run: string; readonly label: string; readonly example: string }
  /** The next attempt starts at that time. */
  | { readonly type: "retry"; readonly atMs: number }
  /** Another action computes what it wants to have. */
  | { readonly type: "duplicate"; readonly run: string; readonly action: string }
  /** No live engine serves its run. */
  | { readonly type: "engine"; readonly run: string };

/** A value that would answer a condition. */
export const signalExamples: Record<ConditionSpec["valueType"], string> = {
  boolean: "true",
  integer: "3",
  float: "0.5",
  string: "TEXT",
};

/** Follows on the action's name: `waits for 2 GPUs (1 of 4 free)`. */
export function waitText(wait: Wait, nowMs: number): string {
  switch (wait.type) {
    case "resource":
      return `waits for ${resourceText(wait)}`;
    case "limit":
      return wait.of === "project"
        ? `waits for project quota: ${wait.limit} of ${wait.name} run`
        : `waits for ${wait.of} limit: ${wait.limit} of ${wait.name} run`;
    case "reserved":
      return `waits for its turn: ${wantedWord(wait.resource)} is kept for ${wait.action}, which waits for longer`;
    case "turn":
      return "waits for its turn";
    case "signal":
      return `waits for a signal: godwit signal ${wait.run} ${wait.label} ${wait.example}`;
    case "retry":
      return wait.atMs > nowMs ? `tries again in ${Math.ceil((wait.atMs - nowMs) / 1_000)} s` : "waits for its turn";
    case "duplicate":
      return `waits for identical work: ${wait.run}/${wait.action}`;
    case "engine":
      return `nobody serves this run: godwit resume ${wait.run}`;
  }
}

/** `token:licence`, `gpu:A100`: a kind, and which of it. */
function kindOf(resource: string): { readonly kind: string; readonly which: string } {
  const at = resource.search(/[: ]/);
  return at === -1
    ? { kind: resource, which: "" }
    : { kind: resource.slice(0, at), which: resource.slice(at + 1).trim() };
}

const wantedWord = (resource: string): string => {
  const { kind, which } = kindOf(resource);
  if (kind === "token") return `"${which}"`;
  return { cpu: "CPU", gpu: "a GPU" }[kind] ?? kind;
};

function resourceText({ resource, asked, free, total }: Extract<WaitReason, { type: "resource" }>): string {
  const { kind, which } = kindOf(resource);
  const isImpossible = asked > total;
  switch (kind) {
    case "cpu": {
      const wanted = `${cpuText(asked)} ${asked === 1_000 ? "CPU" : "CPUs"}`;
      return isImpossible
        ? `${wanted}: this machine has ${cpuText(total)} (set GODWIT_CPU, or ask for fewer)`
        : `${wanted} (${cpuText(free)} of ${cpuText(total)} free)`;
    }
    case "memory":
    case "disk": {
      const wanted = `${byteText(asked)} of ${kind}`;
      return isImpossible
        ? `${wanted}: this machine has ${byteText(total)} (set GODWIT_${kind.toUpperCase()}, or ask for less)`
        : `${wanted} (${byteText(free)} free of ${byteText(total)})`;
    }
    case "gpu": {
      const wanted = `${asked} ${which === "" ? "" : `${which} `}${asked === 1 ? "GPU" : "GPUs"}`;
      return isImpossible
        ? `${wanted}: this machine has ${total} (set GODWIT_GPUS, or ask for fewer)`
        : `${wanted} (${free} of ${total} free)`;
    }
    default: {
      const wanted = `${asked} of the token "${which === "" ? resource : which}"`;
      return isImpossible
        ? `${wanted}: there are ${total} (set GODWIT_TOKENS, or ask for fewer)`
        : `${wanted} (${free} of ${total} free)`;
    }
  }
}
