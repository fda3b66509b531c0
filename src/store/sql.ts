// How values of core look in a column, and back. The same on every database.
//
// R1  A number given to a phase, type or status here is in people's databases: never reuse or change it.
import { type Action, type ActionType, type CacheStatus, isTerminal, type Phase } from "../core/action.ts";
import type { AttemptRecord } from "../core/attempt-record.ts";
import type { Attachment, RecordKind } from "./store.ts";

/** What a column holds. */
export type SqlValue = string | number | Uint8Array | null;

/** The columns of a statement, in its order. */
export type Row = readonly SqlValue[];

/** R1. Constraints in migrations.ts count on the last phases being those from 5 on. */
export const phaseCodes = {
  queued: 0,
  waiting_for_resources: 1,
  initializing: 2,
  running: 3,
  paused: 4,
  succeeded: 5,
  recovered: 6,
  failed: 7,
  aborted: 8,
  timed_out: 9,
} as const satisfies Record<Phase, number>;

/** Of phases that are not the last of an action. */
export const activeCodes = (Object.keys(phaseCodes) as Phase[])
  .filter((phase) => !isTerminal(phase))
  .map((phase) => phaseCodes[phase]);

/** R1. */
export const typeCodes = { task: 0, trace: 1, condition: 2 } as const satisfies Record<ActionType, number>;

/** R1. */
export const cacheStatusCodes = { off: 0, miss: 1, hit: 2, overwritten: 3 } as const satisfies Record<
  CacheStatus,
  number
>;

/** R1. */
export const attemptPhaseCodes = { failed: 0, timed_out: 1, interrupted: 2 } as const satisfies Record<
  AttemptRecord["phase"],
  number
>;

/** R1. */
export const attachmentCodes = { checkpoint: 0, report: 1, progress: 2 } as const satisfies Record<
  Attachment["kind"],
  number
>;

/** R1. */
export const recordCodes = {
  project: 0,
  task: 1,
  trigger: 2,
  triggerRevision: 3,
  secret: 4,
  setting: 5,
  notification: 6,
  image: 7,
  taskVersion: 8,
  cachedOutput: 9,
  heldKey: 10,
  backfill: 11,
} as const satisfies Record<RecordKind, number>;

export const phaseOf = decoder(phaseCodes);
export const typeOf = decoder(typeCodes);
export const cacheStatusOf = decoder(cacheStatusCodes);
export const attemptPhaseOf = decoder(attemptPhaseCodes);
export const attachmentOf = decoder(attachmentCodes);
export const recordKindOf = decoder(recordCodes);

function decoder<Word extends string>(codes: Readonly<Record<Word, number>>): (value: SqlValue | undefined) => Word {
  const words: Word[] = [];
  for (const word of Object.keys(codes) as Word[]) words[codes[word]] = word;
  return (value) => words[value as number] as Word;
}

const digestPattern = /^[0-9a-f]{64}$/;

/** A SHA-256 takes 32 bytes in a row instead of 64 characters; any other text stays text. */
export const digestColumn = (digest: string): SqlValue =>
  digestPattern.test(digest) ? Buffer.from(digest, "hex") : digest;

// Of a few hundred calls of one task all have its identity and its definition.
const shared = new Map<string, SqlValue>();
const maxShared = 1_000;

/** `digestColumn` for what many rows have in common. */
export function sharedDigestColumn(digest: string): SqlValue {
  let column = shared.get(digest);
  if (column === undefined) {
    if (shared.size >= maxShared) shared.clear();
    column = digestColumn(digest);
    shared.set(digest, column);
  }
  return column;
}

export function digestOf(value: SqlValue | undefined): string {
  if (typeof value === "string") return value;
  const bytes = value as Uint8Array;
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/** `digestOf` in SQL: of many rows, it takes half of the time that buffers take. */
export const digestText = (column: string): string =>
  `case typeof(${column}) when 'blob' then lower(hex(${column})) else ${column} end`;

export const optional = <T>(value: SqlValue | undefined, read: (value: SqlValue) => T): T | null =>
  value === null || value === undefined ? null : read(value);

export const jsonColumn = (value: object | null): SqlValue => (value === null ? null : JSON.stringify(value));

export const errorOf = (value: SqlValue | undefined): Action["error"] =>
  optional(value, (text) => JSON.parse(text as string));

/** `?, ?, ?` */
export const placeholders = (count: number): string => Array(count).fill("?").join(", ");
