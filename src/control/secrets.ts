// Secrets: values that tasks get and nobody is told. They belong to a project and domain, to a project, to a
// domain, or to all; where several have one name, the nearest counts, in this order.
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";
import type { RecordKey, StoreRecord } from "../store/store.ts";
import type { Page, Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import type { Projects } from "./projects.ts";
import { changedRecord, decide, documentOf, newRecord, type Paging, readRecord, recordPage } from "./records.ts";
import { seal, unseal } from "./secret-box.ts";

export type SecretType = "generic" | "imagePull";

/** What may be known of a secret: everything but its value. A project or domain of "" is all of them. */
export type Secret = {
  readonly project: string;
  readonly domain: string;
  readonly name: string;
  readonly type: SecretType;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

export type NewSecret = { readonly name: string; readonly value: Uint8Array; readonly type?: SecretType };

/** In a scope whose project or domain is "", for all of them. */
export interface Secrets {
  /** Refused with `already_exists`. */
  create(scope: Scope, secret: NewSecret): Promise<Secret>;
  update(scope: Scope, secret: NewSecret): Promise<Secret>;
  get(scope: Scope, name: string): Promise<Secret>;
  /** Of this very level, by name. */
  list(scope: Scope, paging: Paging): Promise<Page<Secret>>;
  delete(scope: Scope, name: string): Promise<void>;
  /** For executors alone: what each name stands for in this scope. `not_found` names those that are missing. */
  values(scope: Pick<Scope, "project" | "domain">, names: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>>;
}

/** What an environment variable or a small file can hold. */
export const maxSecretBytes = 128 * 1024;
/** Of one attempt. */
const maxNames = 200;
const maxSimilar = 200;

const namePattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$/;

type Document = { readonly type: SecretType; readonly box: string };

type Level = Pick<Scope, "project" | "domain">;

const keyOf = ({ project, domain }: Level, name: string): RecordKey => ({
  kind: "secret",
  project,
  domain,
  name,
  version: "",
});

/** What its box is bound to. */
const labelOf = ({ project, domain, name }: RecordKey): string => JSON.stringify([project, domain, name]);

const secretOf = (record: StoreRecord): Secret => ({
  project: record.project,
  domain: record.domain,
  name: record.name,
  type: documentOf<Document>(record).type,
  createdAtMs: record.createdAtMs,
  updatedAtMs: record.updatedAtMs,
});

const textOf = ({ project, domain }: Level): string => `${project || "all projects"}/${domain || "all domains"}`;

export function openSecrets(parts: Parts, projects: Projects): Secrets {
  const boxed = async (key: RecordKey, { value, type = "generic" }: NewSecret): Promise<Document> => {
    checkValue(key.name, value);
    const sealKey = { key: await parts.secretKey.make(), label: labelOf(key) };
    return { type, box: seal(value, sealKey, parts.randomBytes) };
  };
  const stored = async (scope: Level, name: string): Promise<StoreRecord> => {
    const record = await readRecord(parts, keyOf(scope, name));
    return record ?? unknown(parts, scope, [name]);
  };
  return {
    create: async (scope, secret) => {
      checkSecretName(secret.name);
      await projects.checkLevel(scope);
      const key = keyOf(scope, secret.name);
      const record = newRecord(key, await boxed(key, secret), parts.nowMs());
      if ((await parts.store.commit([{ type: "putRecord", record }])).type === "committed") return secretOf(record);
      throw new GodwitError(
        "already_exists",
        `There is already a secret "${secret.name}" in ${textOf(scope)}. Update it, or delete it first.`,
      );
    },
    update: (scope, secret) =>
      decide(parts, async () => {
        const record = await stored(scope, secret.name);
        const { type } = documentOf<Document>(record);
        const next = changedRecord(record, await boxed(record, { type, ...secret }), parts.nowMs());
        return { changes: [{ type: "putRecord", record: next }], answer: secretOf(next) };
      }),
    get: async (scope, name) => secretOf(await stored(scope, name)),
    list: async ({ project, domain }, paging) => {
      const { items, token } = await recordPage(parts, { kind: "secret", project, domain, order: "name" }, paging);
      return { items: items.map(secretOf), token };
    },
    delete: (scope, name) =>
      decide(parts, async () => {
        const record = await stored(scope, name);
        return { changes: [{ type: "deleteRecord", record }], answer: undefined };
      }),
    values: (scope, names) => values(parts, scope, names),
  };
}

async function values(parts: Parts, scope: Level, names: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  if (names.length === 0) return found;
  if (names.length > maxNames)
    throw new GodwitError("invalid_argument", `A task may have ${maxNames} secrets, not ${names.length}.`);
  // The nearest comes last, and stays.
  const levels = [
    { project: "", domain: "" },
    { project: "", domain: scope.domain },
    { project: scope.project, domain: "" },
    { project: scope.project, domain: scope.domain },
  ];
  const keys = levels.flatMap((level) => names.map((name) => keyOf(level, name)));
  const nearest = new Map<string, StoreRecord>();
  const stored = await parts.store.records(keys);
  const rank = ({ project, domain }: StoreRecord): number => (project === "" ? 0 : 2) + (domain === "" ? 0 : 1);
  for (const record of [...stored].sort((a, b) => rank(a) - rank(b))) nearest.set(record.name, record);
  const missing = names.filter((name) => !nearest.has(name));
  if (missing.length > 0) return unknown(parts, scope, missing);
  const key = await parts.secretKey.read();
  for (const record of nearest.values()) {
    const value = key === null ? null : unseal(documentOf<Document>(record).box, { key, label: labelOf(record) });
    if (value === null) throw unreadable(record);
    found.set(record.name, value);
  }
  return found;
}

const unreadable = ({ name, project, domain }: StoreRecord): GodwitError =>
  new GodwitError(
    "data_loss",
    `The secret "${name}" of ${textOf({ project, domain })} cannot be decrypted: the key beside the database is missing, or is not the one that it was set under. Restore the key, or set the secret anew.`,
  );

export function checkSecretName(name: string): void {
  if (namePattern.test(name)) return;
  throw new GodwitError(
    "invalid_argument",
    `The secret name ${JSON.stringify(name.slice(0, 300))} is not allowed: use 1 to 253 letters, digits, "_", "-" and ".", beginning with a letter, digit or "_".`,
  );
}

function checkValue(name: string, value: Uint8Array): void {
  if (value.length > 0 && value.length <= maxSecretBytes) return;
  const found = value.length === 0 ? "is empty" : `has ${value.length} bytes`;
  throw new GodwitError(
    "invalid_argument",
    `The value of the secret "${name}" ${found}: 1 to ${maxSecretBytes} bytes are possible.`,
  );
}

async function unknown(parts: Parts, { project, domain }: Level, names: readonly string[]): Promise<never> {
  const filter = { kind: "secret", project, domain, order: "newest" } as const;
  const { items } = await parts.store.listRecords(filter, maxSimilar);
  const hint = didYouMean(
    names[0] as string,
    items.map(({ name }) => name),
  );
  const which = names.length === 1 ? "no secret" : "no secrets";
  throw new GodwitError(
    "not_found",
    `There ${names.length === 1 ? "is" : "are"} ${which} ${names.map((name) => `"${name}"`).join(", ")} in ${textOf({ project, domain })}.${hint} Create ${names.length === 1 ? "it" : "them"} first.`,
  );
}
