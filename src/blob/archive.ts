// A directory as one file: a gzipped tar, as any tar reads it.
//
// R1  The same files give the same bytes: paths are sorted, and nothing but path, content and the
//     executable bit is told.
// R2  What is unpacked lies inside: links, devices, absolute paths and `..` are refused, as is a path
//     that is there twice or lies below a file.
// R3  No more is unpacked than the limits allow, however small the archive is.
import { Readable } from "node:stream";
import { createGunzip, gzipSync } from "node:zlib";
import { GodwitError } from "../core/error.ts";
import { isInside } from "./directory.ts";

export type ArchivedFile = { readonly path: string; readonly bytes: Uint8Array; readonly executable: boolean };

export type ArchiveLimits = { readonly maxFiles: number; readonly maxBytes: number };

/** R1. Throws `invalid_argument` for what `unpackArchive` would refuse. */
export function packArchive(files: readonly ArchivedFile[]): Uint8Array {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const blocks = sorted.flatMap((file) => {
    if (!isInside(file.path)) throw refused(file.path, "has a path that leads out of the archive");
    const long =
      Buffer.byteLength(file.path) > nameLength ? entry("L", "././@LongLink", Buffer.from(`${file.path}\0`)) : [];
    return [...long, ...entry("0", file.path, file.bytes, file.executable)];
  });
  // The time of packing would be in the header.
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]), { level: 6 });
}

/** R2, R3. In the order of the archive. */
export async function unpackArchive(
  archive: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  limits: ArchiveLimits,
): Promise<readonly ArchivedFile[]> {
  const tar = await unzipped(archive, limits);
  const found = new Map<string, ArchivedFile>();
  /** What comes before an entry and is about it. */
  let next: About = nothing;
  for (let at = 0; at + blockBytes <= tar.length; ) {
    const header = tar.subarray(at, at + blockBytes);
    at += blockBytes;
    if (header.every((byte) => byte === 0)) return checkedTree(found);
    checkSum(header);
    const sizeBytes = next.sizeBytes ?? octal(header, 124, 12);
    const bytes = tar.subarray(at, at + sizeBytes);
    if (bytes.length < sizeBytes) break;
    at += Math.ceil(sizeBytes / blockBytes) * blockBytes;
    const kind = String.fromCharCode(header[156] ?? 0);
    const path: string = (next.path ?? nameIn(header)).replace(/^\.\//, "");
    next = nothing;
    if (kind === "L") next = { ...nothing, path: text(bytes) };
    else if (kind === "x") next = extended(bytes);
    else if (kind === "0" || kind === "\0") {
      if (!isInside(path)) throw refused(path, "has a path that leads out of the archive");
      if (found.has(path)) throw refused(path, "is in the archive twice");
      if (found.size >= limits.maxFiles) throw tooMuch(`has more than ${limits.maxFiles} files`);
      found.set(path, { path, bytes, executable: (octal(header, 100, 8) & 0o100) !== 0 });
    } else if (kind === "5") {
      if (path !== "" && !isInside(path.replace(/\/$/, "")))
        throw refused(path, "has a path that leads out of the archive");
    } else if (kind !== "g") throw refused(path, kinds[kind] ?? "is neither a file nor a directory");
  }
  throw new GodwitError("invalid_argument", "The archive ends in the middle. Make it again.");
}

const blockBytes = 512;
const nameLength = 100;

const kinds: { readonly [kind: string]: string } = {
  "1": "is a link",
  "2": "is a symbolic link",
};

type About = { readonly path: string | null; readonly sizeBytes: number | null };
const nothing: About = { path: null, sizeBytes: null };

/** POSIX's way to say what a header has no room for, which Python's tarfile uses: `30 path=…` and so on, a line each. */
function extended(bytes: Uint8Array): About {
  let about = nothing;
  for (let at = 0; at < bytes.length; ) {
    const line = new TextDecoder().decode(bytes.subarray(at, at + 20));
    const length = Number(/^(\d+) /.exec(line)?.[1] ?? 0);
    const record = new TextDecoder().decode(bytes.subarray(at, at + length));
    const [, key, value] = /^\d+ ([^=]+)=(.*)\n$/s.exec(record) ?? [];
    if (key === undefined || value === undefined)
      throw new GodwitError("invalid_argument", "The archive has an extended header that is damaged. Make it again.");
    if (key === "path") about = { ...about, path: value };
    if (key === "size") about = { ...about, sizeBytes: Number(value) };
    at += length;
  }
  if (about.sizeBytes === null || (Number.isSafeInteger(about.sizeBytes) && about.sizeBytes >= 0)) return about;
  throw new GodwitError("invalid_argument", "The archive has an entry whose size is not a number. Make it again.");
}

const refused = (path: string, what: string): GodwitError =>
  new GodwitError(
    "invalid_argument",
    `The archive is refused: ${JSON.stringify(path.slice(0, 200))} ${what}. It may hold files and directories, by relative paths without "..".`,
  );

const tooMuch = (what: string): GodwitError =>
  new GodwitError("resource_exhausted", `The archive is refused: it ${what}. Leave out what the code does not need.`);

function entry(kind: string, path: string, bytes: Uint8Array, executable = false): readonly Uint8Array[] {
  const header = Buffer.alloc(blockBytes);
  header.write(path.slice(0, nameLength), 0, nameLength);
  header.write(executable ? "0000755\0" : "0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write(kind, 156);
  header.write("ustar  \0", 257);
  header.write("        ", 148);
  header.write(`${sumOf(header).toString(8).padStart(6, "0")}\0 `, 148);
  const padding = (blockBytes - (bytes.length % blockBytes)) % blockBytes;
  return [header, bytes, Buffer.alloc(padding)];
}

/** The checksum's own place counts as blanks. */
function sumOf(header: Uint8Array): number {
  let sum = 0;
  for (const [index, byte] of header.entries()) sum += index >= 148 && index < 156 ? 0x20 : byte;
  return sum;
}

function checkSum(header: Uint8Array): void {
  if (octal(header, 148, 8) !== sumOf(header))
    throw new GodwitError("invalid_argument", "This is not a tar archive, or a damaged one. Make it again.");
}

function octal(header: Uint8Array, from: number, length: number): number {
  const digits = text(header.subarray(from, from + length)).trim();
  if (!/^[0-7]*$/.test(digits))
    throw new GodwitError("invalid_argument", "The archive has a number that is not octal. Use GNU tar's format.");
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

/** ustar's prefix, or GNU's, which has none. */
function nameIn(header: Uint8Array): string {
  const name = text(header.subarray(0, nameLength));
  const isPosix = text(header.subarray(257, 263)) === "ustar";
  const prefix = isPosix && header[262] === 0 ? text(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Up to the first zero. */
function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
}

/** R3: ends when there is more than may be unpacked, before that is held in memory. */
async function unzipped(
  archive: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  limits: ArchiveLimits,
): Promise<Uint8Array> {
  // Headers and paddings are not what the limit means.
  const maxBytes = limits.maxBytes + (limits.maxFiles + 4) * 4 * blockBytes;
  const source = Readable.from(archive);
  const gunzip = createGunzip();
  source.on("error", (error) => gunzip.destroy(error));
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  try {
    for await (const part of source.pipe(gunzip) as AsyncIterable<Uint8Array>) {
      sizeBytes += part.length;
      if (sizeBytes > maxBytes) throw tooMuch(`is larger than ${limits.maxBytes} bytes when it is unpacked`);
      parts.push(part);
    }
  } catch (error) {
    source.destroy();
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!code.startsWith("Z_")) throw error;
    throw new GodwitError("invalid_argument", "This is not a gzipped archive, or a damaged one. Make it again.", {
      cause: error,
    });
  }
  return Buffer.concat(parts);
}

/** R2: nothing lies below a file. */
function checkedTree(found: ReadonlyMap<string, ArchivedFile>): readonly ArchivedFile[] {
  for (const path of found.keys()) {
    for (let end = path.lastIndexOf("/"); end !== -1; end = path.lastIndexOf("/", end - 1)) {
      if (found.has(path.slice(0, end))) throw refused(path, "lies below a file");
    }
  }
  return [...found.values()];
}
