// `--notify URL[,phase…]`: who is told when a run has ended.
import { checkRules, type NotificationRule, type ToldPhase, toldPhases } from "../core/notification.ts";
import { usageError } from "./error-report.ts";

/** Without phases, of all of them. A comma may also be a part of the address. */
export function notifyRule(text: string): NotificationRule {
  const words = text.split(",");
  const phases: ToldPhase[] = [];
  for (let word = words.at(-1); words.length > 1; word = words.at(-1)) {
    const phase = toldPhases.find((each) => each === word?.replace("-", "_"));
    if (phase === undefined) break;
    phases.unshift(phase);
    words.pop();
  }
  const last = words.at(-1) ?? "";
  if (words.length > 1 && /^[a-z_-]*$/.test(last))
    throw usageError(`A run ends in ${toldPhases.join(", ")}, not in "${last}".`);
  const target = { url: words.join(","), method: "POST", headers: {}, body: null } as const;
  const rule = { phases: phases.length === 0 ? toldPhases : phases, target };
  checkRules([rule]);
  return rule;
}
