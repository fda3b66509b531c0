// Files that nothing needs, or that are not what they were made from: unpacked code, logs of runs that do
// not exist, marks of life of processes that have ended.
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { BlobStore } from "../blob/blob.ts";
import { readManifest } from "../blob/directory.ts";
import { isLost } from "../blob/payload.ts";
import { sha256Hex } from "../core/hash.ts";
import type { Upkeep } from "../store/upkeep.ts";
import { abridged, type Examination, type Finding, note, repaired } from "./finding.ts";

type Place = Pick<Examination, "dataDir" | "repairs">;

export async function checkLeftovers(place: Place, upkeep: Upkeep, blobs: BlobStore): Promise<readonly Finding[]> {
  return [...abridged(await unpackedCode(place, blobs)), ...abridged(await strayLogs(place, upkeep))];
}

/** Workers compare it before they load it, so it is no more than worth a note. */
async function unpackedCode({ dataDir, repairs }: Place, blobs: BlobStore): Promise<readonly Finding[]> {
  const root = join(dataDir, "bundles");
  const findings: Finding[] = [];
  for (const bundle of await namesIn(root)) {
    const expected = await mainDigest(bundle, blobs);
    for (const project of await namesIn(join(root, bundle))) {
      const directory = join(root, bundle, project);
      const found = await readFile(join(directory, "main.mjs")).catch(() => null);
      if (expected !== null && found !== null && sha256Hex(found) === expected) continue;
      const text = `The unpacked code ${directory} is not that of its blob`;
      if (repairs) await rm(directory, { recursive: true, force: true });
      findings.push(
        repairs && expected !== null
          ? repaired("code", `${text}; it was removed, and is unpacked again when it is needed.`)
          : note("code", `${text}.`, expected === null ? null : "It is unpacked again when it is needed."),
      );
    }
  }
  return findings;
}

/** Null if the bundle's own bytes are gone. */
async function mainDigest(bundle: string, blobs: BlobStore): Promise<string | null> {
  try {
    const { files } = await readManifest(blobs, bundle);
    return files.find(({ path }) => path === "main.mjs")?.digest ?? null;
  } catch (error) {
    if (isLost(error)) return null;
    throw error;
  }
}

async function strayLogs({ dataDir, repairs }: Place, upkeep: Upkeep): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const name of await namesIn(join(dataDir, "logs"))) {
    if (!/^\d+$/.test(name) || upkeep.isRun(Number(name))) continue;
    const path = join(dataDir, "logs", name);
    const aside = join(dataDir, "logs", "damaged");
    const text = `The logs in ${path} are of a run that is not in the database`;
    if (repairs) {
      await mkdir(aside, { recursive: true });
      await rename(path, join(aside, name));
      findings.push(repaired("logs", `${text}; they were moved to ${aside}.`));
    } else findings.push(note("logs", `${text}.`, "godwit doctor --repair moves them aside."));
  }
  return findings;
}

const namesIn = async (directory: string): Promise<readonly string[]> =>
  (await readdir(directory).catch(() => [])).sort();
