// Who is told of a run's end, as a RunSpec says it.
import { HttpMethod } from "#idl/flyteidl2/notification/definition_pb.js";
import type { InlineRule, RunSpec } from "#idl/flyteidl2/task/run_pb.js";
import type { Scope } from "../control/control.ts";
import { GodwitError } from "../core/error.ts";
import { type NotificationRule, type ToldPhase, toldPhases, type WebhookTarget } from "../core/notification.ts";
import { phaseOf } from "../idl/phase-message.ts";
import type { WireParts } from "./parts.ts";

export async function rulesOf(
  { control }: WireParts,
  scope: Scope,
  runSpec: RunSpec | undefined,
): Promise<readonly NotificationRule[]> {
  const settings = runSpec?.notificationSettings;
  switch (settings?.case) {
    case "notificationRuleName":
      return [await control.notifications.namedRule(scope, settings.value)];
    case "notificationRules":
      return settings.value.rules.map(ruleOf);
    default:
      return [];
  }
}

function ruleOf({ onPhases, delivery }: InlineRule): NotificationRule {
  if (delivery.case !== "deliveryTemplate" || delivery.value.webhook === undefined)
    throw new GodwitError(
      "unimplemented",
      "Notifications go to webhooks here: give the rule a delivery_template with a webhook. Mail services take webhooks, too.",
    );
  const { url, method, headers, bodyTemplate } = delivery.value.webhook;
  return {
    phases: onPhases.map(toldPhaseOf),
    target: { url, method: methodOf(method), headers, body: bodyTemplate === "" ? null : bodyTemplate },
  };
}

function toldPhaseOf(number: InlineRule["onPhases"][number]): ToldPhase {
  const phase = phaseOf(number);
  const told = toldPhases.find((each) => each === phase);
  if (told !== undefined) return told;
  throw new GodwitError(
    "invalid_argument",
    `A run is told of when it has ${toldPhases.join(", ")}, and not when it is ${phase}.`,
  );
}

const methods: { readonly [method in HttpMethod]?: WebhookTarget["method"] } = {
  [HttpMethod.UNSPECIFIED]: "POST",
  [HttpMethod.GET]: "GET",
  [HttpMethod.POST]: "POST",
  [HttpMethod.PUT]: "PUT",
  [HttpMethod.DELETE]: "DELETE",
  [HttpMethod.PATCH]: "PATCH",
};

function methodOf(method: HttpMethod): WebhookTarget["method"] {
  const name = methods[method];
  if (name !== undefined) return name;
  throw new GodwitError("invalid_argument", `A webhook cannot be called with ${HttpMethod[method] ?? method}.`);
}
