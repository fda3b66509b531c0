// The files of the protocol: where they lie, what is refused, and what is written again.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openFileBlobs } from "../blob/files.ts";
import type { ErrorCode } from "../core/error.ts";
import type { LiteralType, TypedInterface, Variable } from "../core/value.ts";
import { inputsOf, outputsOf } from "../idl/task-files.ts";
import { openStorage, type Scope } from "./storage.ts";

const dir = mkdtempSync(join(tmpdir(), "godwit-storage-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const blobs = await openFileBlobs(join(dir, "blobs"));
const storage = await openStorage({ root: join(dir, "storage"), blobs });

const scope: Scope = { project: "flytesnacks", domain: "development" };
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const md5 = (text: string): Uint8Array => createHash("md5").update(text).digest();
const stream = async function* (...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield bytes(text);
};
const refused = (code: ErrorCode) => (error: { readonly code?: string }) => error.code === code;
const upload = (filename: string, filenameRoot: string | null = "root") =>
  storage.uploadTarget(scope, { filename, filenameRoot, md5: null }).path;

test("an upload lies below its root as it was named, or below its MD5", () => {
  assert.equal(upload("f.txt", "r"), join(storage.root, "uploads/flytesnacks/development/r/f.txt"));
  const { path } = storage.uploadTarget(scope, { filename: "a/f.txt", filenameRoot: null, md5: md5("") });
  // RFC 4648 of d41d8cd98f00b204e9800998ecf8427e.
  assert.equal(path, join(storage.root, "uploads/flytesnacks/development/2QOYZWMPACZAJ2MABGMOZ6CCPY/a/f.txt"));
  assert.throws(
    () => storage.uploadTarget(scope, { filename: "f", filenameRoot: null, md5: null }),
    refused("invalid_argument"),
  );
});

test("names that would lead elsewhere are refused", () => {
  for (const name of ["", ".", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a\0b", "a\\b", "x".repeat(256)])
    assert.throws(() => upload(name), refused("invalid_argument"), name);
  assert.throws(() => upload("f", "../r"), refused("invalid_argument"));
  assert.throws(() => storage.runBase({ ...scope, project: ".." }, "r"), refused("invalid_argument"));
  assert.throws(() => storage.runBase(scope, "a/b"), refused("invalid_argument"));
});

test("an upload is stored whole, with its MD5, and may be repeated", async () => {
  const path = upload("whole.txt");
  for (let n = 0; n < 2; n++) {
    const stored = await storage.writeUpload(path, stream("a", "b"), { maxBytes: 2, md5: md5("ab") });
    assert.deepEqual([stored.sizeBytes, Buffer.from(stored.md5)], [2, Buffer.from(md5("ab"))]);
  }
  assert.equal(Buffer.from(await storage.read(path, 2)).toString(), "ab");
  const file = await storage.openFile(`file://${path}`);
  assert.equal(file.sizeBytes, 2);
  const parts = await Array.fromAsync(file.stream({ start: 1, end: 1 }));
  assert.equal(Buffer.concat(parts).toString(), "b");
});

test("what is too large, damaged or broken off leaves nothing behind", async () => {
  const path = upload("bad.txt");
  const options = { maxBytes: 3, md5: md5("abc") };
  await assert.rejects(storage.writeUpload(path, stream("ab", "cd"), options), refused("resource_exhausted"));
  await assert.rejects(storage.writeUpload(path, stream("abd"), options), refused("invalid_argument"));
  const broken = (async function* () {
    yield bytes("ab");
    throw new Error("connection reset");
  })();
  await assert.rejects(storage.writeUpload(path, broken, options), /connection reset/);
  await assert.rejects(storage.read(path, 10), refused("not_found"));
  assert.deepEqual(readdirSync(join(storage.root, "tmp")), []);
});

test("paths that lead out, links among them, are refused for reading, writing and removing", async () => {
  const outside = join(dir, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "s");
  const uploads = join(storage.root, "uploads");
  mkdirSync(uploads, { recursive: true });
  symlinkSync(outside, join(uploads, "link"));
  symlinkSync(join(outside, "secret"), join(uploads, "file-link"));
  const options = { maxBytes: 10, md5: null };
  for (const path of [
    join(outside, "secret"),
    `file://${join(outside, "secret")}`,
    `${storage.root}/../outside/secret`,
    join(uploads, "link/secret"),
    join(uploads, "link/new/file"),
    join(uploads, "file-link"),
    storage.root,
    "relative/path",
    "s3://bucket/key",
    `${storage.root}-other/x`,
    `${uploads}/a\0b`,
  ]) {
    await assert.rejects(storage.read(path, 10), refused("invalid_argument"), path);
    await assert.rejects(storage.writeUpload(path, stream("x"), options), refused("invalid_argument"), path);
    await assert.rejects(storage.remove(path), refused("invalid_argument"), path);
    await assert.rejects(storage.list(path), refused("invalid_argument"), path);
  }
  assert.ok(existsSync(join(outside, "secret")));
});

test("inputs of a run to come are read by their directory or their file", async () => {
  const uri = await storage.saveInputs(scope, "h4sh", bytes("inputs"));
  assert.equal(uri, join(storage.root, "inputs/flytesnacks/development/h4sh"));
  for (const each of [uri, `${uri}/inputs.pb`, `file://${uri}`])
    assert.equal(Buffer.from(await storage.readInputs(each)).toString(), "inputs");
  assert.deepEqual(await storage.list(uri), ["inputs.pb"]);
  await storage.remove(uri);
  await assert.rejects(storage.readInputs(uri), refused("not_found"));
});

const variable = (name: string, type: LiteralType): Variable => ({
  name,
  type,
  required: true,
  description: null,
  defaultText: null,
});
const types: TypedInterface = {
  inputs: [variable("n", { type: "simple", simple: "integer" })],
  outputs: [variable("o0", { type: "simple", simple: "integer" })],
};
const place = { ...scope, run: "swift-run", action: "a0", attempt: 2 };

test("inputs and outputs are written from the values where they are missing, and only there", async () => {
  const inputs = await storage.ensureActionInputs(place, { n: { type: "integer", value: "3" } }, types);
  assert.equal(inputs, join(storage.root, "runs/flytesnacks/development/swift-run/a0/inputs.pb"));
  await storage.ensureActionInputs(place, { n: { type: "integer", value: "4" } }, types);
  assert.deepEqual(inputsOf(await storage.readInputs(inputs), types), { n: { type: "integer", value: "3" } });
  const uri = await storage.ensureOutputs(place, async () => ({ o0: { type: "integer", value: "9" } }), types);
  assert.equal(uri, storage.attempt(place).dir);
  assert.deepEqual(outputsOf(readFileSync(join(uri, "outputs.pb")), types), { o0: { type: "integer", value: "9" } });
});

test("an attempt has its directories before it starts", async () => {
  const paths = await storage.makeAttempt(place);
  assert.ok(existsSync(paths.raw));
  assert.ok(paths.checkpoint.startsWith(join(storage.runBase(scope, "swift-run"), "a0/2/")));
  assert.equal(await storage.readOptional(paths.error, 10), null);
});
