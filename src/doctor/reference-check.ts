// Are the bytes there that rows need? Goes through all rows that name blobs, and through the manifests of
// directories; what is lost is told with what lost it and how to get it back.
import type { BlobStore } from "../blob/blob.ts";
import { readManifest } from "../blob/directory.ts";
import { fromPayload, isLost } from "../blob/payload.ts";
import { isTerminal } from "../core/action.ts";
import { blobsOf, directoriesOf } from "../core/value.ts";
import { firstReference, type Reference, type ReferencePlace, type Upkeep } from "../store/upkeep.ts";
import { abridged, type Examination, type Finding, good, problem, repaired } from "./finding.ts";

const check = "results";
const pageSize = 1_000;
/** Blobs and directories that were found whole, remembered; more are asked for again. */
const maxKnown = 200_000;
const referencesPerReport = 50_000;

export async function checkReferences(
  { repairs, onProgress }: Pick<Examination, "repairs" | "onProgress">,
  upkeep: Upkeep,
  blobs: BlobStore,
  damaged: ReadonlySet<string>,
): Promise<readonly Finding[]> {
  const presence = new Presence(blobs, damaged);
  const lost: Finding[] = [];
  let checked = 0;
  let reported = 0;
  for (let place: ReferencePlace | null = firstReference; place !== null; ) {
    const page = upkeep.references(place, pageSize);
    for (const reference of page.items) {
      const missing = await presence.missingFor(reference);
      if (missing !== null) lost.push(told(reference, missing, repairs ? upkeep : null));
      checked++;
    }
    if (checked - reported >= referencesPerReport) {
      reported = checked;
      onProgress(`the bytes of ${checked} results looked up`);
    }
    place = page.next;
  }
  if (lost.length === 0) return [good(check, `the bytes of all ${checked} that are in files are there`)];
  // What was repaired, and what asks for something, are abridged apart.
  return (["repaired", "problem"] as const).flatMap((kind) => abridged(lost.filter(({ verdict }) => verdict === kind)));
}

/** Null for `upkeep`: only tell. */
function told(reference: Reference, missing: string, upkeep: Upkeep | null): Finding {
  const { by, cacheKey, runName, action, label, run } = reference;
  const scope = reference.project === "default" ? "" : ` (project ${reference.project})`;
  const of = `${label} (${action === null ? runName : `${runName}/${action}`}${scope})`;
  const text = `The ${by} of ${of} ${by === "outputs" || by === "inputs" ? "are" : "is"} not whole: ${missing}.`;
  if (by === "cache entry" && cacheKey !== null) {
    if (upkeep === null) return problem(check, text, "It counts as a miss. godwit doctor --repair removes the entry.");
    upkeep.removeCacheEntries([cacheKey]);
    return repaired(check, `${text} The entry was removed.`);
  }
  if (by === "checkpoint" && action !== null) {
    if (upkeep === null)
      return problem(check, text, "godwit doctor --repair forgets the checkpoint: its next attempt starts anew.");
    upkeep.removeCheckpoint(run, action);
    return repaired(check, `${text} The checkpoint was forgotten: its next attempt starts anew.`);
  }
  return problem(check, text, nextFor(reference));
}

function nextFor({ by, action, runName, runPhase }: Reference): string {
  if (by === "code")
    return `Run the same file again (godwit run FILE): that stores the code anew. Or godwit rerun ${runName} --recover, with the code as it is now.`;
  if (by === "deployed code") return "Deploy the same file again (godwit deploy FILE): that stores the code anew.";
  if (by === "report") return `godwit rerun ${runName} makes it anew.`;
  if (by === "inputs" && action === "a0") return "Start it anew with its inputs: godwit run FILE TASK …";
  const recover = `godwit rerun ${runName} --recover computes it again, and what is whole is taken over.`;
  return runPhase !== null && !isTerminal(runPhase) ? `End it (godwit abort ${runName}); then ${recover}` : recover;
}

class Presence {
  readonly #blobs: BlobStore;
  readonly #damaged: ReadonlySet<string>;
  /** Blobs that are there, and directories that are whole as `directory <digest>`. */
  readonly #whole = new Set<string>();

  constructor(blobs: BlobStore, damaged: ReadonlySet<string>) {
    this.#blobs = blobs;
    this.#damaged = damaged;
  }

  /** What is not there, in words; null if all is. */
  async missingFor({ needs }: Reference): Promise<string | null> {
    if (needs.type === "blob") return this.#blob(needs.digest);
    if (needs.type === "directory") return this.#directory(needs.digest);
    try {
      const literals = await fromPayload(needs.payload, this.#blobs);
      for (const digest of blobsOf(literals)) {
        const missing = await this.#blob(digest);
        if (missing !== null) return missing;
      }
      for (const digest of directoriesOf(literals)) {
        const missing = await this.#directory(digest);
        if (missing !== null) return missing;
      }
      return null;
    } catch (error) {
      if (isLost(error) && needs.payload.type === "blob") return this.#word(needs.payload.digest);
      if (error instanceof SyntaxError) return "its text cannot be read";
      throw error;
    }
  }

  async #blob(digest: string): Promise<string | null> {
    if (this.#whole.has(digest)) return null;
    const isThere = !this.#damaged.has(digest) && (await this.#blobs.sizeBytes(digest)) !== null;
    if (isThere) this.#keep(digest);
    return isThere ? null : this.#word(digest);
  }

  async #directory(digest: string): Promise<string | null> {
    const key = `directory ${digest}`;
    if (this.#whole.has(key)) return null;
    const own = await this.#blob(digest);
    if (own !== null) return own;
    try {
      for (const file of (await readManifest(this.#blobs, digest)).files) {
        const missing = await this.#blob(file.digest);
        if (missing !== null) return `${missing} (${file.path})`;
      }
    } catch (error) {
      if (isLost(error)) return this.#word(digest);
      throw error;
    }
    this.#keep(key);
    return null;
  }

  #word(digest: string): string {
    return `the blob ${digest} is ${this.#damaged.has(digest) ? "damaged" : "gone or damaged"}`;
  }

  #keep(key: string): void {
    if (this.#whole.size >= maxKnown) this.#whole.clear();
    this.#whole.add(key);
  }
}
