// Values of core as records: their text is JSON.
import { GodwitError } from "../core/error.ts";
import type { Change, RecordKey, StoreRecord } from "./store.ts";

/** `from`: the record that the value was decided on; null: there is none, and it is inserted. */
export type Putting = { readonly from: StoreRecord | null; readonly dueAtMs: number | null; readonly nowMs: number };

export function put(key: RecordKey, value: object, { from, dueAtMs, nowMs }: Putting): Change {
  const record: StoreRecord = {
    ...key,
    text: JSON.stringify(value),
    createdAtMs: from?.createdAtMs ?? nowMs,
    updatedAtMs: nowMs,
    dueAtMs,
    revision: from?.revision ?? 0,
  };
  return { type: "putRecord", record };
}

export function read<T>({ kind, name, version, text }: StoreRecord): T {
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new GodwitError("data_loss", `The ${kind} ${name} ${version} is stored as something that cannot be read.`, {
      cause: error,
    });
  }
}
