// What commands over records have in common: one is read by its key, decided on and put again; and pages.
import { GodwitError } from "../core/error.ts";
import type { Change, RecordFilter, RecordKey, RecordPlace, StoreRecord } from "../store/store.ts";
import type { Page } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { maxPage, notAToken, pageToken, tokenOf } from "./runs.ts";

/** Somebody else may decide on the same record, and again; for ever it is not. */
const maxTries = 20;

export async function readRecord(parts: Parts, key: RecordKey): Promise<StoreRecord | null> {
  const [record] = await parts.store.records([key]);
  return record ?? null;
}

/** A record that is not there yet. */
export const newRecord = (key: RecordKey, document: object, nowMs: number): StoreRecord => ({
  ...key,
  text: JSON.stringify(document),
  createdAtMs: nowMs,
  updatedAtMs: nowMs,
  dueAtMs: null,
  revision: 0,
});

/** The same record with another document. */
export const changedRecord = (record: StoreRecord, document: object, nowMs: number): StoreRecord => ({
  ...record,
  text: JSON.stringify(document),
  updatedAtMs: nowMs,
});

/** The document of a record; `Document` is what was put under this kind. */
export const documentOf = <Document>(record: StoreRecord): Document => JSON.parse(record.text) as Document;

/** What is to be committed, and what that answers; without changes nothing is. */
export type Decision<Answer> = { readonly changes: readonly Change[]; readonly answer: Answer };

/** Decides on what is stored, and again on what is stored then, if somebody else was faster. */
export async function decide<Answer>(parts: Parts, decision: () => Promise<Decision<Answer>>): Promise<Answer> {
  for (let tries = 0; tries < maxTries; tries++) {
    const { changes, answer } = await decision();
    if (changes.length === 0 || (await parts.store.commit(changes)).type === "committed") return answer;
  }
  throw new GodwitError("aborted", "Others keep changing the same thing at the same time. Try again.");
}

export type Paging = { readonly limit: number; readonly token: string | null };

export async function recordPage(
  parts: Parts,
  filter: Omit<RecordFilter, "after">,
  { limit, token }: Paging,
): Promise<Page<StoreRecord>> {
  const after = token === null ? {} : { after: placeOf(token) };
  const { items, next } = await parts.store.listRecords({ ...filter, ...after }, Math.min(limit, maxPage));
  return { items, token: next === null ? null : pageToken(next) };
}

function placeOf(token: string): RecordPlace {
  const place = tokenOf<readonly unknown[]>(token);
  const isPlace = Array.isArray(place) && place.every((part) => typeof part === "string" || Number.isSafeInteger(part));
  if (isPlace) return place as RecordPlace;
  throw notAToken();
}

/** Clients have their own rules for these; here they only have to fit in a line and a key. */
const wordPattern = /^[^\s\p{C}]{1,255}$/u;

export function checkWord(what: string, word: string): void {
  if (wordPattern.test(word)) return;
  throw new GodwitError(
    "invalid_argument",
    `The ${what} cannot be ${JSON.stringify(word.slice(0, 300))}: use 1 to 255 characters without spaces.`,
  );
}
