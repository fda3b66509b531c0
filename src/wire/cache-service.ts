// CacheService, version 2: what clients that execute something themselves keep under keys of their own.
import { Buffer } from "node:buffer";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import {
  CachedOutputSchema,
  type CachedOutput as Message,
  MetadataSchema,
  type OverwriteOutput,
  type ReservationSchema,
} from "#idl/flyteidl2/cacheservice/cacheservice_pb.js";
import { CacheService, type Identifier } from "#idl/flyteidl2/cacheservice/v2/cacheservice_pb.js";
import type { CachedOutput, HeldKey, Overwrite, Scope } from "../control/control.ts";
import { literalMessage } from "../idl/literal-message.ts";
import { durationOfMs, msOfDuration, timestampOfMs } from "../idl/time-message.ts";
import { type Asking, askingOf, present, required, scopeOf } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

export function cacheService(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  const { cachedOutputs } = parts.control;
  router.service(CacheService, {
    get: async ({ baseRequest, identifier }, context) => {
      const { scope, key } = await placeOf(asking(context), identifier, baseRequest);
      return { output: await outputMessage(parts, await cachedOutputs.get(scope, key)) };
    },
    put: async ({ baseRequest, identifier }, context) => {
      const { scope, key } = await placeOf(asking(context), identifier, baseRequest);
      const output = present("base_request.output", baseRequest?.output);
      const value = Buffer.from(toBinary(CachedOutputSchema, output)).toString("base64");
      await cachedOutputs.put(scope, key, value, overwriteOf(baseRequest?.overwrite));
      return {};
    },
    delete: async ({ baseRequest, identifier }, context) => {
      const { scope, key } = await placeOf(asking(context), identifier, baseRequest);
      await cachedOutputs.delete(scope, key);
      return {};
    },
    getOrExtendReservation: async ({ baseRequest, identifier }, context) => {
      const { scope, key } = await placeOf(asking(context), identifier, baseRequest);
      const { ownerId, heartbeatInterval } = present("base_request", baseRequest);
      const owner = required("base_request.owner_id", ownerId);
      const heartbeatMs = heartbeatInterval === undefined ? 0 : msOfDuration(heartbeatInterval);
      return { reservation: reservationMessage(await cachedOutputs.reserve(scope, { key, owner, heartbeatMs })) };
    },
    releaseReservation: async ({ baseRequest, identifier }, context) => {
      const { scope, key } = await placeOf(asking(context), identifier, baseRequest);
      await cachedOutputs.release(scope, { key, owner: present("base_request", baseRequest).ownerId });
      return {};
    },
  });
}

async function placeOf(
  asking: Asking,
  identifier: Identifier | undefined,
  request: { readonly key: string } | undefined,
): Promise<{ readonly scope: Scope; readonly key: string }> {
  const scope = await scopeOf(asking, present("identifier", identifier));
  return { scope, key: required("base_request.key", present("base_request", request).key) };
}

/** Files that outputs name are the client's: none is deleted. */
function overwriteOf(message: OverwriteOutput | undefined): Overwrite | null {
  if (message === undefined || !message.overwrite) return null;
  return message.maxAge === undefined ? {} : { olderThanMs: msOfDuration(message.maxAge) };
}

async function outputMessage({ control, storage }: WireParts, cached: CachedOutput): Promise<Message> {
  if (cached.type === "put") {
    const message = fromBinary(CachedOutputSchema, Buffer.from(cached.value, "base64"));
    message.metadata ??= create(MetadataSchema);
    message.metadata.createdAt = timestampOfMs(cached.createdAtMs);
    message.metadata.lastUpdatedAt = timestampOfMs(cached.updatedAtMs);
    return message;
  }
  const { entry } = cached;
  const outputs = await storage.exportLiterals(await control.literals(entry.outputs));
  const literals = Object.fromEntries(
    Object.entries(outputs).map(([name, literal]) => [name, literalMessage(literal, null)]),
  );
  const at = timestampOfMs(entry.createdAtMs);
  return create(CachedOutputSchema, {
    output: { case: "outputLiterals", value: { literals } },
    metadata: {
      sourceIdentifier: { project: entry.project, domain: entry.domain, name: entry.task },
      keyMap: { values: { run: entry.runName, action: entry.action } },
      createdAt: at,
      lastUpdatedAt: at,
    },
  });
}

const reservationMessage = ({
  key,
  owner,
  heartbeatMs,
  expiresAtMs,
}: HeldKey): MessageInitShape<typeof ReservationSchema> => ({
  key,
  ownerId: owner,
  heartbeatInterval: durationOfMs(heartbeatMs),
  expiresAt: timestampOfMs(expiresAtMs),
});
