// Which of a run's actions a viewer wants to see among all that it is told of, and what their children are at.
import { type Filter, Filter_Function } from "#idl/flyteidl2/common/list_pb.js";
import type { DescribedAction } from "../control/control.ts";
import type { Phase } from "../core/action.ts";
import type { PhaseCounts } from "../core/run.ts";
import { phaseMessage } from "../idl/phase-message.ts";
import { containedIn, phasesOf, unknownField } from "./filters.ts";

type Fits = (shown: DescribedAction) => boolean;

/** All filters together. Names are those that people see, in any case of letters. */
export function actionFilter(filters: readonly Filter[]): Fits {
  const tests = filters.map(filterOf);
  return (shown) => tests.every((fits) => fits(shown));
}

function filterOf(filter: Filter): Fits {
  switch (filter.field.toLowerCase()) {
    case "name": {
      const wanted = containedIn(filter).toLowerCase();
      const fits = (text: string): boolean =>
        filter.function === Filter_Function.EQUAL ? text === wanted : text.includes(wanted);
      return ({ action, spec }) =>
        [action.name, action.label, spec?.name ?? ""].some((text) => fits(text.toLowerCase()));
    }
    case "phase": {
      const wanted = phasesOf(filter);
      return ({ action }) => wanted.includes(action.phase);
    }
    default:
      throw unknownField(filter.field, ["name", "phase"]);
  }
}

/** By the number of the phase. */
export const countsMessage = (counts: PhaseCounts): { [phase: number]: number } =>
  Object.fromEntries(Object.entries(counts).map(([phase, count]) => [phaseMessage(phase as Phase), count]));
