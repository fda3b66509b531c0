// Who is told of a run's end, as a RunSpec says it, and as a project's rules are told by our own service.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { HttpMethod } from "#idl/flyteidl2/notification/definition_pb.js";
import type { RunSpecSchema } from "#idl/flyteidl2/task/run_pb.js";
import { GodwitError } from "../core/error.ts";
import { type NotificationRule, type ProjectRule, toldPhases, webhookMethods } from "../core/notification.ts";
import type { AutomationInit, AutomationMessage } from "./automation-service.ts";
import { phaseMessage } from "./phase-message.ts";

type Settings = NonNullable<MessageInitShape<typeof RunSpecSchema>["notificationSettings"]>;

export const rulesMessage = (rules: readonly NotificationRule[]): Settings => ({
  case: "notificationRules",
  value: {
    rules: rules.map(({ phases, target: { url, method, headers, body } }) => ({
      onPhases: phases.map(phaseMessage),
      delivery: {
        case: "deliveryTemplate",
        value: { webhook: { url, method: HttpMethod[method], headers: { ...headers }, bodyTemplate: body ?? "" } },
      },
    })),
  },
});

export const ruleMessage = ({ name, phases, target, isForAll }: ProjectRule): AutomationInit<"NotificationRule"> => ({
  name,
  phases: [...phases],
  url: target.url,
  method: target.method,
  headers: Object.entries(target.headers).map(([header, value]) => ({ name: header, value })),
  body: target.body ?? "",
  byNameOnly: !isForAll,
});

export function projectRuleOf(message: AutomationMessage<"NotificationRule">): ProjectRule {
  const { name, url, body, headers, byNameOnly } = message;
  if (name === "") throw new GodwitError("invalid_argument", "Each rule for notifications has a name.");
  return {
    name,
    phases: message.phases.map((phase) => oneOf(phase, toldPhases, "A run ends in")),
    target: {
      url,
      method: message.method === "" ? "POST" : oneOf(message.method, webhookMethods, "A webhook is called with"),
      headers: Object.fromEntries(headers.map(({ name: header, value }) => [header, value])),
      body: body === "" ? null : body,
    },
    isForAll: !byNameOnly,
  };
}

function oneOf<T extends string>(text: string, known: readonly T[], what: string): T {
  const found = known.find((each) => each === text);
  if (found !== undefined) return found;
  throw new GodwitError("invalid_argument", `${what} ${known.join(", ")}, not ${JSON.stringify(text)}.`);
}
