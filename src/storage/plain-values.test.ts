// Files, directories and tables on their way between the blob store and plain paths.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { putDirectory } from "../blob/directory.ts";
import { openFileBlobs } from "../blob/files.ts";
import { blobUri, type Literal, type Literals } from "../core/value.ts";
import { isRecord, type Packed, type PackedRecord, pack, unpack, writeParquet } from "../idl/idl.ts";
import { openStorage } from "./storage.ts";

const dir = mkdtempSync(join(tmpdir(), "godwit-plain-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const blobs = await openFileBlobs(join(dir, "blobs"));
const storage = await openStorage({ root: join(dir, "storage"), blobs });

const file = async (name: string, text: string): Promise<Literal & { readonly type: "blob" }> => {
  const { digest, sizeBytes } = await blobs.put(new TextEncoder().encode(text));
  return { type: "blob", uri: blobUri(digest, name), format: "txt", dimensionality: "single", hash: digest, sizeBytes };
};
const folder = async (): Promise<Literal & { readonly type: "blob" }> => {
  const path = join(dir, "folder");
  mkdirSync(join(path, "sub"), { recursive: true });
  writeFileSync(join(path, "sub/a.txt"), "in a folder");
  const { digest, sizeBytes } = await putDirectory(blobs, path);
  return {
    type: "blob",
    uri: blobUri(digest, "data"),
    format: "",
    dimensionality: "multipart",
    hash: digest,
    sizeBytes,
  };
};
const struct = (packed: Packed): Literal => ({
  type: "binary",
  tag: "msgpack",
  value: Buffer.from(pack(packed)).toString("base64"),
});
const unpacked = (literal: Literal | undefined): PackedRecord => {
  assert.equal(literal?.type, "binary");
  const packed = unpack(Buffer.from((literal as Literal & { readonly type: "binary" }).value, "base64"));
  assert.ok(isRecord(packed));
  return packed;
};
const uriOf = (literal: Literal | undefined): string => (literal as { readonly uri: string }).uri;

test("files and directories get plain paths with their names, the same each time, wherever they are", async () => {
  const note = await file("note.txt", "hello");
  const literals: Literals = {
    note,
    list: { type: "collection", elements: [note, await file("../evil", "evil")] },
    maybe: { type: "union", tag: "File", value: note },
    folder: await folder(),
    number: { type: "integer", value: "1" },
  };
  const [first, second] = await Promise.all([storage.exportLiterals(literals), storage.exportLiterals(literals)]);
  assert.deepEqual(first, second);
  assert.equal(first.note?.type, "externalBlob");
  assert.equal(basename(uriOf(first.note)), "note.txt");
  assert.equal(readFileSync(uriOf(first.note), "utf8"), "hello");
  assert.equal(readFileSync(join(uriOf(first.folder), "sub/a.txt"), "utf8"), "in a folder");
  const evil = first.list?.type === "collection" ? first.list.elements[1] : undefined;
  assert.equal(await storage.contained(uriOf(evil)), uriOf(evil));
  assert.deepEqual(first.maybe, { type: "union", tag: "File", value: first.note });
  assert.deepEqual(first.number, literals.number);
  assert.deepEqual(readdirSync(join(storage.root, "tmp")), []);
});

test("what was exported and comes back is the blob that it was", async () => {
  const literals = { note: await file("note.txt", "hello"), folder: await folder() };
  const back = await storage.importLiterals(await storage.exportLiterals(literals));
  assert.deepEqual(back, literals);
});

test("a table that is a directory with one Parquet file becomes a table with its columns and rows", async () => {
  const path = join(storage.root, "frame");
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "00000"), await writeParquet([{ name: "n", kind: "integer", values: [1, 2, 3] }]));
  const external: Literal = { type: "externalTable", uri: path, columns: [], format: "parquet", hash: null };
  const { t } = await storage.importLiterals({ t: external });
  assert.equal(t?.type, "structuredDataset");
  const table = t as Literal & { readonly type: "structuredDataset" };
  assert.deepEqual([table.rows, table.columns.map(({ name }) => name)], [3, ["n"]]);
  const { t: exported } = await storage.exportLiterals({ t: table });
  assert.equal(exported?.type, "externalTable");
  assert.match(uriOf(exported), /\.parquet$/);
  writeFileSync(join(path, "00001"), "");
  await assert.rejects(storage.importLiterals({ t: external }), /2 files; one Parquet file was expected/);
});

test("files inside structs have a path for Python, and are blobs for TypeScript", async () => {
  const note = await file("note.txt", "hello");
  const { type: _, sizeBytes, ...fields } = note;
  const inner = { ...fields, sizeBytes: BigInt(sizeBytes) };
  const before = { ...struct({ n: 1n, files: [inner] }), blobs: [note.hash] } as Literal;
  const { s } = await storage.exportLiterals({ s: before });
  const exported = (unpacked(s).files as readonly PackedRecord[])[0] as PackedRecord;
  assert.equal(readFileSync(exported.path as string, "utf8"), "hello");
  assert.equal((s as { readonly blobs?: unknown }).blobs, undefined);
  assert.deepEqual(unpacked(s).n, 1n);

  // As Python's SDK writes its File.
  const written = struct({
    n: 1n,
    files: [{ path: exported.path as string, name: "note.txt", format: "txt", hash: null }],
  });
  const { s: back } = await storage.importLiterals({ s: written });
  const imported = (unpacked(back).files as readonly PackedRecord[])[0] as PackedRecord;
  assert.deepEqual([imported.uri, imported.hash], [note.uri, note.hash]);
  assert.deepEqual((back as { readonly blobs?: unknown }).blobs, [note.hash]);
});

test("a struct without files comes back byte for byte, and a remote file is refused with a reason", async () => {
  const plain = struct({ path: "/etc/passwd", n: 3 });
  assert.deepEqual(await storage.importLiterals({ s: plain }), { s: plain });
  const remote: Literal = { type: "externalBlob", uri: "s3://b/k", format: "", dimensionality: "single", hash: null };
  await assert.rejects(storage.importLiterals({ f: remote }), /s3:\/\/b\/k is not on this machine/);
});
