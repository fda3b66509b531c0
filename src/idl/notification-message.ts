// Who is told of a run's end, as a RunSpec says it.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { HttpMethod } from "#idl/flyteidl2/notification/definition_pb.js";
import type { RunSpecSchema } from "#idl/flyteidl2/task/run_pb.js";
import type { NotificationRule } from "../core/notification.ts";
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
