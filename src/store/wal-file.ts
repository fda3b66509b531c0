// Reads SQLite's write-ahead log by itself (https://www.sqlite.org/fileformat2.html#walformat), for when
// SQLite does not: it stops at the first damaged frame, and removes the log of a database file that is
// missing or empty, although the log may hold all of it.
//
// R1  Each frame's checksum goes on from that of the frame before it. So one that is damaged is known,
//     and those after it can still be checked: the sum they go on from is written in the damaged one.
// R2  Frames that an earlier use of the log left behind have other salts, and are not of it.
// R3  Only what a commit follows counts.
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

export type WalFile = {
  /** Of the database after the last commit. */
  readonly pages: number;
  /** Page number → where its latest content lies in the log (R3). */
  readonly offsets: ReadonlyMap<number, number>;
  readonly frames: number;
  /** Frames that are not what was written, though whole ones come after them; counts the header (R1). */
  readonly damagedFrames: number;
};

const headerBytes = 32;
const frameHeaderBytes = 24;
/** Of every Godwit database. */
const pageBytes = 4_096;
const magic = 0x377f0682;

/** Null if there is none, or it has no commit in it. */
export function readWal(path: string): WalFile | null {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  try {
    return readFrames(file, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

type Sums = readonly [number, number];

function readFrames(file: number, sizeBytes: number): WalFile | null {
  const header = Buffer.alloc(headerBytes);
  if (readSync(file, header, 0, headerBytes, 0) < headerBytes) return null;
  // The lowest bit says in which order of bytes the sums are taken.
  const isBigEndian = (header.readUInt32BE(0) & 1) === 1;
  const ownSums = summed([0, 0], header.subarray(0, 24), isBigEndian);
  const isHeaderGood = (header.readUInt32BE(0) & ~1) >>> 0 === magic && sameSums(ownSums, sumsAt(header, 24));
  const frame = Buffer.alloc(frameHeaderBytes + pageBytes);
  const total = Math.floor((sizeBytes - headerBytes) / frame.length);
  let sums: Sums | null = isHeaderGood ? ownSums : null;
  let salts = isHeaderGood ? header.subarray(16, 24).toString("hex") : null;
  let suspect = isHeaderGood ? 0 : 1;
  let damaged = 0;
  let pages = 0;
  let frames = 0;
  let pending = new Map<number, number>();
  const offsets = new Map<number, number>();
  for (let index = 0; index < total; index++) {
    const offset = headerBytes + index * frame.length;
    readSync(file, frame, 0, frame.length, offset);
    const isOwn = salts === null || frame.subarray(8, 16).toString("hex") === salts;
    const expected: Sums | null =
      sums === null ? null : summed(summed(sums, frame.subarray(0, 8), isBigEndian), frame.subarray(24), isBigEndian);
    sums = sumsAt(frame, 16);
    const page = frame.readUInt32BE(0);
    // Without a header nothing vouches for the first frame; what reads the pages looks at them anyhow.
    if (page === 0 || !isOwn || (expected !== null && !sameSums(expected, sums))) {
      // Perhaps damage, perhaps what lay there before, or a transaction that met a full disk: known once a
      // commit follows.
      suspect++;
      continue;
    }
    salts ??= frame.subarray(8, 16).toString("hex");
    pending.set(page, offset + frameHeaderBytes);
    const committedPages = frame.readUInt32BE(4);
    if (committedPages === 0) continue;
    damaged += suspect;
    suspect = 0;
    frames = index + 1;
    pages = committedPages;
    for (const [number, at] of pending) offsets.set(number, at);
    pending = new Map();
  }
  return offsets.size === 0 ? null : { pages, offsets, frames, damagedFrames: damaged };
}

const sumsAt = (bytes: Buffer, offset: number): Sums => [bytes.readUInt32BE(offset), bytes.readUInt32BE(offset + 4)];
const sameSums = (a: Sums, b: Sums): boolean => a[0] === b[0] && a[1] === b[1];

function summed([first, second]: Sums, bytes: Buffer, isBigEndian: boolean): Sums {
  let a = first;
  let b = second;
  for (let at = 0; at < bytes.length; at += 8) {
    a = (a + (isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + b) >>> 0;
    b = (b + (isBigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + a) >>> 0;
  }
  return [a, b];
}
