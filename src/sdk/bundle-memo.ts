// Remembers the bundle of an entry file, so that unchanged sources are not bundled again.
//
// R1  A bundle is used again only if every file that it was made of has the content it had then, and
//     no file that may change where an import leads has come or gone in the directories of the sources.
// R2  Size and time of change stand for the content only when the file was at rest when the memo was
//     made: what changed shortly before is read and compared.
// R3  A memo that is torn, of another version or not readable is no memo. It is written whole or not at all.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";
import { hashParts, sha256Hex } from "../core/hash.ts";
import { sourceExtensions } from "./bundle-error.ts";

/** Text of the bundle's files by name. */
export type BundleTexts = { readonly [path: string]: string };

export type MemoPlace = { readonly memoDir: string; readonly projectDir: string; readonly entry: string };

export type MemoInputs = {
  /** Modules by absolute path, with the text that was bundled. */
  readonly sources: ReadonlyMap<string, string>;
  /** Files that were read besides. */
  readonly others: readonly string[];
};

type Memo = {
  readonly version: number;
  readonly node: string;
  readonly madeAtMs: number;
  readonly files: readonly {
    readonly path: string;
    readonly sizeBytes: number;
    readonly changedAtMs: number;
    readonly hash: string;
  }[];
  readonly directories: readonly { readonly path: string; readonly hash: string }[];
  readonly texts: BundleTexts;
  /** Of `texts` (R3). */
  readonly hash: string;
};

const memoVersion = 1;
/** Entries of one data directory; the oldest goes. */
const maxMemos = 64;
/** R2. Coarser than the clocks of file systems. */
const restMs = 2_000;

/** Null: bundle it. */
export async function readMemo(place: MemoPlace): Promise<BundleTexts | null> {
  try {
    const memo = JSON.parse(await readFile(memoFile(place), "utf8")) as Memo;
    if (memo.version !== memoVersion || memo.node !== process.version || memo.hash !== textsHash(memo.texts))
      return null;
    const isSame =
      memo.files.every((file) => isUnchanged(file, memo.madeAtMs)) &&
      memo.directories.every(({ path, hash }) => directoryHash(path) === hash);
    return isSame ? memo.texts : null;
  } catch {
    // R3: missing or not a memo, or one of its files is gone.
    return null;
  }
}

/** A memo that cannot be written costs time, not the run. */
export async function writeMemo(place: MemoPlace, texts: BundleTexts, inputs: MemoInputs): Promise<void> {
  const temporary = `${memoFile(place)}.${process.pid}.tmp`;
  try {
    const memo = memoOf(place, texts, inputs);
    // The data directory itself is made by who opens it, with the rights that it is to have, or not at all.
    for (const path of [dirname(place.memoDir), place.memoDir]) await mkdir(path).catch(ifThere);
    await writeFile(temporary, JSON.stringify(memo));
    await rename(temporary, memoFile(place));
    await removeOldest(place.memoDir);
  } catch {
    await rm(temporary, { force: true });
  }
}

function ifThere(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

const memoFile = ({ memoDir, projectDir, entry }: MemoPlace): string =>
  join(memoDir, `${hashParts(projectDir, entry).slice(0, 32)}.json`);

const textsHash = (texts: BundleTexts): string => hashParts(...Object.entries(texts).flat());

function memoOf(place: MemoPlace, texts: BundleTexts, { sources, others }: MemoInputs): Memo {
  const directories = directoriesOf([...sources.keys()], place.projectDir);
  // They say where imports lead, and how TypeScript is meant.
  const settings = directories.flatMap((directory) => settingsIn(directory));
  const files = [...new Set([...sources.keys(), ...others, ...settings])].map((path) => {
    const { size, mtimeMs } = statSync(path);
    return { path, sizeBytes: size, changedAtMs: mtimeMs, hash: sha256Hex(sources.get(path) ?? readFileSync(path)) };
  });
  return {
    version: memoVersion,
    node: process.version,
    madeAtMs: Date.now(),
    files,
    directories: directories.map((path) => ({ path, hash: directoryHash(path) })),
    texts,
    hash: textsHash(texts),
  };
}

/** R1, R2. Throws if the file is gone. */
function isUnchanged(file: Memo["files"][number], madeAtMs: number): boolean {
  const { size, mtimeMs } = statSync(file.path);
  if (size !== file.sizeBytes) return false;
  if (mtimeMs === file.changedAtMs && mtimeMs < madeAtMs - restMs) return true;
  return sha256Hex(readFileSync(file.path)) === file.hash;
}

/** Directories of the sources and those above them, up to the project's. */
function directoriesOf(sources: readonly string[], projectDir: string): readonly string[] {
  const found = new Set<string>();
  for (const source of sources) {
    for (let directory = dirname(source); !found.has(directory); directory = dirname(directory)) {
      found.add(directory);
      if (relative(projectDir, directory).startsWith("..") || directory === projectDir) break;
    }
  }
  return [...found].sort();
}

/** Of the names in it that matter to where imports lead. */
function directoryHash(directory: string): string {
  const names = readdirSync(directory).filter(
    (name) => name === "node_modules" || sourceExtensions.includes(extname(name)),
  );
  return hashParts(...names.sort());
}

const settingsIn = (directory: string): readonly string[] =>
  readdirSync(directory)
    .filter((name) => name === "package.json" || /^tsconfig.*\.json$/.test(name))
    .map((name) => join(directory, name));

async function removeOldest(memoDir: string): Promise<void> {
  const names = await readdir(memoDir);
  if (names.length <= maxMemos) return;
  const found = await Promise.all(
    names.map(async (name) => ({ path: join(memoDir, name), changedAtMs: (await stat(join(memoDir, name))).mtimeMs })),
  );
  const oldest = found.sort((a, b) => a.changedAtMs - b.changedAtMs).slice(0, names.length - maxMemos);
  for (const { path } of oldest) await rm(path, { force: true });
}
