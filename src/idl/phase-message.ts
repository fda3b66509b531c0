// Phases as the protocol numbers them (common/phase.proto) and back.

import { ActionPhase } from "#idl/flyteidl2/common/phase_pb.js";
import type { Phase } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";

/** Newer than the npm package, whose enum does not name it; in messages an enum is its number. */
const recoveredPhase = 10 as ActionPhase;

const numbers: { readonly [phase in Phase]: ActionPhase } = {
  queued: ActionPhase.QUEUED,
  waiting_for_resources: ActionPhase.WAITING_FOR_RESOURCES,
  initializing: ActionPhase.INITIALIZING,
  running: ActionPhase.RUNNING,
  paused: ActionPhase.PAUSED,
  succeeded: ActionPhase.SUCCEEDED,
  recovered: recoveredPhase,
  failed: ActionPhase.FAILED,
  aborted: ActionPhase.ABORTED,
  timed_out: ActionPhase.TIMED_OUT,
};

const names = new Map(Object.entries(numbers).map(([phase, number]) => [number, phase as Phase]));

export const phaseMessage = (phase: Phase): ActionPhase => numbers[phase];

/** Throws `invalid_argument` for 0, unspecified, and for numbers that nobody has given out yet. */
export function phaseOf(number: ActionPhase): Phase {
  const phase = names.get(number);
  if (phase !== undefined) return phase;
  throw new GodwitError("invalid_argument", `There is no phase ${number} in flyteidl2.common.ActionPhase.`);
}
