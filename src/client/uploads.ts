// Bytes to the server: by a signed URL, with their MD5; what is there already need not be sent again, and is the
// same under the same name.
import { createHash } from "node:crypto";
import { GodwitError } from "../core/error.ts";
import { type Connection, pause } from "./connection.ts";

export type Upload = {
  readonly filename: string;
  /** Files of one root lie together. Left out: by content. */
  readonly root?: string;
  readonly bytes: Uint8Array;
};

const tries = 5;
const firstPauseMs = 200;
const uploadTimeoutMs = 10 * 60_000;

/** Resolves with where the server has it, as tasks read it. */
export async function upload(connection: Connection, { filename, root, bytes }: Upload): Promise<string> {
  const { project, domain } = connection;
  const contentMd5 = createHash("md5").update(bytes).digest();
  for (let attempt = 1; ; attempt++) {
    const location = await connection.ask((options) =>
      connection.data.createUploadLocation(
        { project, domain, filename, contentMd5, filenameRoot: root ?? "", contentLength: BigInt(bytes.length) },
        options,
      ),
    );
    const refusal = await put(location.signedUrl, location.headers, bytes, contentMd5);
    if (refusal === null) return location.nativeUrl;
    if (!refusal.isPassing || attempt >= tries)
      throw new GodwitError(
        "unavailable",
        `${filename} could not be uploaded to ${connection.endpoint}: ${refusal.reason}`,
      );
    await pause(firstPauseMs * 2 ** attempt, new AbortController().signal);
  }
}

type Refusal = { readonly reason: string; readonly isPassing: boolean };

async function put(
  url: string,
  headers: { readonly [name: string]: string },
  bytes: Uint8Array,
  md5: Buffer,
): Promise<Refusal | null> {
  try {
    const answer = await fetch(url, {
      method: "PUT",
      headers: { ...headers, "content-md5": md5.toString("base64"), "content-type": "application/octet-stream" },
      body: bytes as Uint8Array<ArrayBuffer>,
      signal: AbortSignal.timeout(uploadTimeoutMs),
    });
    const text = await answer.text();
    if (answer.ok) return null;
    const isPassing = answer.status >= 500 || answer.status === 429 || answer.status === 408;
    return { reason: `${answer.status} ${text.slice(0, 500)}`, isPassing };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : "";
    return { reason: `${error instanceof Error ? error.message : String(error)}${cause}`, isPassing: true };
  }
}
