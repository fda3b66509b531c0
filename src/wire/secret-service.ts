// SecretService: names of secrets, and nobody's values.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import {
  OverallStatus,
  type SecretIdentifier,
  SecretPresenceStatus,
  type SecretSchema,
  type SecretSpec,
  SecretType,
} from "#idl/flyteidl2/secret/definition_pb.js";
import { SecretService } from "#idl/flyteidl2/secret/secret_pb.js";
import type { NewSecret, Scope, Secret } from "../control/control.ts";
import { GodwitError } from "../core/error.ts";
import { timestampOfMs } from "../idl/time-message.ts";
import { rowsOf } from "./filters.ts";
import { type Asking, askingOf, present, required } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

export function secretService(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  const { secrets } = parts.control;
  router.service(SecretService, {
    createSecret: async ({ id, secretSpec }, context) => {
      const { scope, name } = await levelOf(asking(context), id);
      await secrets.create(scope, newSecret(name, secretSpec));
      return {};
    },
    updateSecret: async ({ id, secretSpec }, context) => {
      const { scope, name } = await levelOf(asking(context), id);
      await secrets.update(scope, newSecret(name, secretSpec));
      return {};
    },
    getSecret: async ({ id }, context) => {
      const { scope, name } = await levelOf(asking(context), id);
      return { secret: secretMessage(await secrets.get(scope, name)) };
    },
    deleteSecret: async ({ id }, context) => {
      const { scope, name } = await levelOf(asking(context), id);
      await secrets.delete(scope, name);
      return {};
    },
    listSecrets: async ({ project, domain, limit, token }, context) => {
      const caller = await parts.callerOf(asking(context).headers);
      const page = { limit: rowsOf(limit), token: token === "" ? null : token };
      const { items, token: next } = await secrets.list({ project, domain, caller }, page);
      return { secrets: items.map(secretMessage), token: next ?? "" };
    },
  });
}

/** A project or domain that is left out is all of them. */
async function levelOf(
  { parts, headers }: Asking,
  id: SecretIdentifier | undefined,
): Promise<{ readonly scope: Scope; readonly name: string }> {
  const caller = await parts.callerOf(headers);
  const { project, domain, name } = present("id", id);
  return { scope: { project, domain, caller }, name: required("id.name", name) };
}

function newSecret(name: string, spec: SecretSpec | undefined): NewSecret {
  const { value, type } = present("secret_spec", spec);
  if (value.case === undefined)
    throw new GodwitError("invalid_argument", `The secret "${name}" needs a value: string_value or binary_value.`);
  return {
    name,
    value: value.case === "stringValue" ? new TextEncoder().encode(value.value) : value.value,
    type: type === SecretType.IMAGE_PULL_SECRET ? "imagePull" : "generic",
  };
}

function secretMessage({ project, domain, name, type, createdAtMs }: Secret): MessageInitShape<typeof SecretSchema> {
  return {
    id: { organization: "", project, domain, name },
    secretMetadata: {
      createdTime: timestampOfMs(createdAtMs),
      type: type === "imagePull" ? SecretType.IMAGE_PULL_SECRET : SecretType.GENERIC,
      secretStatus: {
        overallStatus: OverallStatus.FULLY_PRESENT,
        clusterStatus: [{ cluster: { name: "local" }, presenceStatus: SecretPresenceStatus.PRESENT }],
      },
    },
  };
}
