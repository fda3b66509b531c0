// Settings of the protocol: one document per level (all, a domain, a project in a domain), of which only its
// bytes are kept here. A change names the version that it was made on, so that nobody's change is lost.
import { GodwitError } from "../core/error.ts";
import type { RecordKey, StoreRecord } from "../store/store.ts";
import type { Parts } from "./parts.ts";
import type { Projects } from "./projects.ts";
import { changedRecord, documentOf, newRecord, readRecord } from "./records.ts";

/** A domain of "" is all, a project of "" all of the domain's. A project needs a domain. */
export type SettingsKey = { readonly domain: string; readonly project: string };

export type SettingsLevel = SettingsKey & {
  /** Opaque here. Null: nothing was ever set. */
  readonly value: string | null;
  /** Counts its changes; 0 if nothing was ever set. */
  readonly version: number;
};

export interface Settings {
  /** The levels that the key is in, as each was set, the broadest first. */
  levels(key: SettingsKey): Promise<readonly SettingsLevel[]>;
  /** Refused with `already_exists` if something was set. */
  create(key: SettingsKey, value: string): Promise<SettingsLevel>;
  /** Version 0: nothing has been set yet. Refused with `failed_precondition` if the version is another. */
  update(key: SettingsKey, value: string, version: number): Promise<SettingsLevel>;
}

/** Characters. */
const maxValue = 256 * 1024;

type Document = { readonly value: string };

const recordKey = ({ domain, project }: SettingsKey): RecordKey => ({
  kind: "setting",
  project,
  domain,
  name: "",
  version: "",
});

const levelOf = (key: SettingsKey, record: StoreRecord | null): SettingsLevel => ({
  domain: key.domain,
  project: key.project,
  value: record === null ? null : documentOf<Document>(record).value,
  version: record?.revision ?? 0,
});

export function openSettings(parts: Parts, projects: Projects): Settings {
  const put = async (key: SettingsKey, record: StoreRecord): Promise<SettingsLevel | null> => {
    const { type } = await parts.store.commit([{ type: "putRecord", record }]);
    return type === "committed" ? levelOf(key, { ...record, revision: record.revision + 1 }) : null;
  };
  const check = async (key: SettingsKey, value = ""): Promise<void> => {
    if (key.project !== "" && key.domain === "")
      throw new GodwitError("invalid_argument", `Settings of a project belong to one of its domains: name it.`);
    if (value.length > maxValue)
      throw new GodwitError("invalid_argument", `These settings are too large: ${maxValue} characters are possible.`);
    await projects.checkLevel(key);
  };
  return {
    levels: async (key) => {
      await check(key);
      const { domain, project } = key;
      const keys: readonly SettingsKey[] = [
        { domain: "", project: "" },
        ...(domain === "" ? [] : [{ domain, project: "" }]),
        ...(project === "" ? [] : [{ domain, project }]),
      ];
      const records = await parts.store.records(keys.map(recordKey));
      return keys.map((each) => {
        const found = records.find((record) => record.domain === each.domain && record.project === each.project);
        return levelOf(each, found ?? null);
      });
    },
    create: async (key, value) => {
      await check(key, value);
      const created = await put(key, newRecord(recordKey(key), { value }, parts.nowMs()));
      if (created !== null) return created;
      throw new GodwitError("already_exists", `${textOf(key)} are there already: update them.`);
    },
    update: async (key, value, version) => {
      await check(key, value);
      const record = await readRecord(parts, recordKey(key));
      const nowMs = parts.nowMs();
      const next =
        record === null ? newRecord(recordKey(key), { value }, nowMs) : changedRecord(record, { value }, nowMs);
      const updated = next.revision === version ? await put(key, next) : null;
      if (updated !== null) return updated;
      throw new GodwitError(
        "failed_precondition",
        `${textOf(key)} have changed since version ${version}. Read them again, and change what they are now.`,
      );
    },
  };
}

const textOf = ({ domain, project }: SettingsKey): string =>
  `The settings of ${domain === "" ? "all domains" : project === "" ? `the domain ${domain}` : `${project}/${domain}`}`;
