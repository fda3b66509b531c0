// Examines a data directory from below, without opening it as Godwit does: the database, the bytes, what
// rows need of them, and what lies around. Repairs what can be repaired without a guess.
//
// R1  Without `repairs` nothing is changed.
// R2  Nothing is deleted that somebody could miss: damaged files are moved to `damaged/`.
// R3  Each repair can be repeated, and is safe while other processes work; one that is not is refused.
import { join } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import type { Upkeep } from "../store/upkeep.ts";
import { checkBlobs } from "./blob-check.ts";
import { checkDatabase } from "./database-check.ts";
import type { Examination, Finding } from "./finding.ts";
import { checkLeftovers } from "./leftovers.ts";
import { checkReferences } from "./reference-check.ts";
import { checkSecrets } from "./secret-check.ts";

export type { Finding } from "./finding.ts";
export { good, note, problem } from "./finding.ts";

export type Diagnosis = {
  readonly findings: readonly Finding[];
  /** Whether the database can be opened without making things worse. */
  readonly isUsable: boolean;
};

export async function examine(examination: Examination): Promise<Diagnosis> {
  const { findings, upkeep } = checkDatabase(examination);
  try {
    const blobs = await examination.openBlobs(join(examination.dataDir, "blobs"));
    const { findings: ofBlobs, damaged } = await checkBlobs(examination, blobs);
    const rest = upkeep === null ? [] : await withDatabase(examination, upkeep, blobs, damaged);
    return { findings: [...findings, ...ofBlobs, ...rest], isUsable: upkeep !== null };
  } finally {
    upkeep?.close();
  }
}

const withDatabase = async (
  examination: Examination,
  upkeep: Upkeep,
  blobs: BlobStore,
  damaged: ReadonlySet<string>,
): Promise<readonly Finding[]> => [
  ...checkSecrets(examination, upkeep.secretTotal()),
  ...(await checkReferences(examination, upkeep, blobs, damaged)),
  ...(await checkLeftovers(examination, upkeep, blobs)),
];
