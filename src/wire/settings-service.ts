// SettingsService: what is set for all, for a domain, or for a project in a domain. Godwit keeps the message as its
// client sent it, with whatever newer fields it has.
import { fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { type Settings, type SettingsKey, SettingsSchema } from "#idl/flyteidl2/settings/settings_definition_pb.js";
import { type SettingsRecordSchema, SettingsService } from "#idl/flyteidl2/settings/settings_service_pb.js";
import type { SettingsLevel } from "../control/control.ts";
import { askingOf, present } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

export function settingsService(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  const { settings } = parts.control;
  const keyOf = ({ domain, project }: SettingsKey) => ({ domain, project });
  router.service(SettingsService, {
    getSettings: async ({ key }, context) => {
      await parts.callerOf(asking(context).headers);
      const levels = await settings.levels(keyOf(present("key", key)));
      const own = levels.at(-1);
      return own === undefined ? {} : { settingsRecord: recordMessage(own) };
    },
    getSettingsForEdit: async ({ key }, context) => {
      await parts.callerOf(asking(context).headers);
      const requestedKey = present("key", key);
      const levels = await settings.levels(keyOf(requestedKey));
      // A level at which nothing was ever set is left out: to its client it has version 0 then, and is created.
      return { requestedKey, levels: levels.filter(({ version }) => version > 0).map(recordMessage) };
    },
    createSettings: async ({ key, settings: value }, context) => {
      await parts.callerOf(asking(context).headers);
      const level = await settings.create(keyOf(present("key", key)), textOf(present("settings", value)));
      return { settingsRecord: recordMessage(level) };
    },
    updateSettings: async ({ key, settings: value, version }, context) => {
      await parts.callerOf(asking(context).headers);
      const text = textOf(present("settings", value));
      const level = await settings.update(keyOf(present("key", key)), text, Number(version));
      return { settingsRecord: recordMessage(level) };
    },
  });
}

const textOf = (settings: Settings): string => Buffer.from(toBinary(SettingsSchema, settings)).toString("base64");

const recordMessage = ({
  domain,
  project,
  value,
  version,
}: SettingsLevel): MessageInitShape<typeof SettingsRecordSchema> => ({
  key: { org: "", domain, project },
  version: BigInt(version),
  ...(value === null ? {} : { settings: fromBinary(SettingsSchema, Buffer.from(value, "base64")) }),
});
