// Literals in their stored form: in the row when short, in a blob when long.
import { isGodwitError } from "../core/error.ts";
import { blobsOf, directoriesOf, inlineLimit, type Literals, type Payload } from "../core/value.ts";
import type { BlobStore } from "./blob.ts";
import { readManifest } from "./directory.ts";

/** Waits only to store what is long: most calls are short, and there are many of them. */
export function toPayload(literals: Literals, blobs: BlobStore): Payload | Promise<Payload> {
  const text = JSON.stringify(literals);
  return text.length <= inlineLimit ? { type: "inline", text } : stored(text, blobs);
}

async function stored(text: string, blobs: BlobStore): Promise<Payload> {
  const { digest } = await blobs.put(new TextEncoder().encode(text));
  return { type: "blob", digest };
}

/** Waits only to read what is long. */
export function fromPayload(payload: Payload, blobs: BlobStore): Literals | Promise<Literals> {
  return payload.type === "inline" ? (JSON.parse(payload.text) as Literals) : read(payload.digest, blobs);
}

const read = async (digest: string, blobs: BlobStore): Promise<Literals> =>
  JSON.parse(new TextDecoder().decode(await blobs.read(digest))) as Literals;

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
