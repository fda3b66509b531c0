// Literals in their stored form: in the row when short, in a blob when long.
import { isGodwitError } from "../core/error.ts";
import { blobsOf, directoriesOf, inlineLimit, type Literals, type Payload } from "../core/value.ts";
import type { BlobStore } from "./blob.ts";
import { readManifest } from "./directory.ts";

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

/** Whether all that the stored literals need is there and undamaged: their text, the files they name, the files of directories. */
export async function hasBytes(payload: Payload, blobs: BlobStore): Promise<boolean> {
  try {
    const literals = await fromPayload(payload, blobs);
    const manifests = await Promise.all(directoriesOf(literals).map((digest) => readManifest(blobs, digest)));
    const inDirectories = manifests.flatMap(({ files }) => files.map(({ digest }) => digest));
    const needed = new Set([...blobsOf(literals), ...inDirectories]);
    return needed.size === 0 || (await blobs.sound([...needed])).size === needed.size;
  } catch (error) {
    if (isLost(error)) return false;
    throw error;
  }
}

/** Whether the error says that bytes are gone or damaged. */
export const isLost = (error: unknown): boolean =>
  isGodwitError(error) && (error.code === "not_found" || error.code === "data_loss");
