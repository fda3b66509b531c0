// Literals in their stored form: in the row when short, in a blob when long.
import { blobsOf, inlineLimit, type Literals, type Payload } from "../core/value.ts";
import type { BlobStore } from "./blob.ts";

export async function toPayload(literals: Literals, blobs: BlobStore): Promise<Payload> {
  const text = JSON.stringify(literals);
  if (text.length <= inlineLimit) return { type: "inline", text };
  const { digest } = await blobs.put(new TextEncoder().encode(text));
  return { type: "blob", digest };
}

export async function fromPayload(payload: Payload, blobs: BlobStore): Promise<Literals> {
  if (payload.type === "inline") return JSON.parse(payload.text) as Literals;
  return JSON.parse(new TextDecoder().decode(await blobs.read(payload.digest))) as Literals;
}

/** Whether every blob that the stored literals need is there: theirs, and those of the files they name. */
export async function hasBytes(payload: Payload, blobs: BlobStore): Promise<boolean> {
  if (payload.type === "blob" && !(await blobs.present([payload.digest])).has(payload.digest)) return false;
  const needed = blobsOf(await fromPayload(payload, blobs));
  return needed.length === 0 || (await blobs.present(needed)).size === new Set(needed).size;
}
