// Is the content of each blob what its name says? Reads as many bytes as there is time for: all of them,
// unless there are very many and nobody asked for all.
import type { BlobStore } from "../blob/blob.ts";
import { abridged, type Examination, type Finding, good, problem, repaired } from "./finding.ts";

export type BlobCheck = { readonly findings: readonly Finding[]; readonly damaged: ReadonlySet<string> };

const check = "blobs";
const pageSize = 1_000;
/** Some seconds of reading. */
const quickBytes = 4_000_000_000;
const bytesPerReport = 1_000_000_000;
const blobsPerReport = 20_000;

export async function checkBlobs(
  { isFull, repairs, onProgress }: Pick<Examination, "isFull" | "repairs" | "onProgress">,
  blobs: BlobStore,
): Promise<BlobCheck> {
  const damaged = new Set<string>();
  let checked = 0;
  let left = 0;
  let readBytes = 0;
  let reported = { checked: 0, readBytes: 0 };
  for (let after: string | null = null; ; ) {
    const page: readonly string[] = await blobs.list(after, pageSize);
    for (const digest of page) {
      const sizeBytes = (await blobs.sizeBytes(digest)) ?? 0;
      if (!isFull && readBytes + sizeBytes > quickBytes) {
        left++;
        continue;
      }
      if ((await blobs.verify(digest)) === false) damaged.add(digest);
      checked++;
      readBytes += sizeBytes;
      if (readBytes - reported.readBytes < bytesPerReport && checked - reported.checked < blobsPerReport) continue;
      reported = { checked, readBytes };
      onProgress(`${checked} blobs read, ${Math.round(readBytes / 1e6)} MB`);
    }
    after = page.at(-1) ?? null;
    if (after === null) break;
  }
  const scope = left === 0 ? "" : ` (${left} were not read: --full reads all)`;
  const findings = await Promise.all([...damaged].map((digest) => told(digest, repairs, blobs)));
  if (damaged.size > 0) return { findings: abridged(findings), damaged };
  return { findings: [good(check, `${checked} checked, none damaged${scope}`)], damaged };
}

async function told(digest: string, repairs: boolean, blobs: BlobStore): Promise<Finding> {
  if (!repairs)
    return problem(
      check,
      `The blob ${digest} is damaged: its content is not what its name says.`,
      "godwit doctor --repair moves it aside, so that what made it is computed again when it is needed.",
    );
  const path = await blobs.setAside(digest);
  return path === null
    ? repaired(check, `The blob ${digest} was damaged, and has been stored again in the meantime.`)
    : repaired(check, `The blob ${digest} was damaged, and was moved to ${path}.`);
}
