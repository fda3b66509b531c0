// Uploads and downloads by signed link, over real sockets.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { signerFor } from "../auth/auth.ts";
import { openStorage, type Storage } from "../storage/storage.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { until } from "../testing/until.ts";
import { helloLines, serve } from "./calls.fixture.ts";
import { createLinks, filePages, type Links, type Server } from "./server.ts";

const dir = mkdtempSync(join(tmpdir(), "godwit-files-"));
let storage: Storage;
let links: Links;
let server: Server;
let nowMs = 0;

before(async () => {
  storage = await openStorage({ root: join(dir, "storage"), blobs: memoryBlobs() });
  links = createLinks({
    signer: signerFor(Buffer.alloc(32, 7), "links"),
    root: storage.root,
    publicUrl: null,
    maxUploadBytes: 1_000_000,
    nowMs: () => nowMs,
  });
  server = await serve(helloLines, { pages: filePages(storage, links) });
});
after(async () => {
  await server.close(0);
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  nowMs = Date.now();
});

const md5 = (content: string): Uint8Array => createHash("md5").update(content).digest();
const host = (): Headers => new Headers({ host: `127.0.0.1:${server.port}` });
const path = (name: string): string => join(storage.root, name);

function uploadUrl(name: string, content: string | null, expiresInMs = 60_000): string {
  return links.upload(host(), { path: path(name), md5: content === null ? null : md5(content), expiresInMs }).url;
}

async function put(url: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method: "PUT", body, headers });
  const text = await response.text();
  return { status: response.status, code: text === "" ? null : (JSON.parse(text) as { readonly code: string }).code };
}

test("what is uploaded is there, under the name that was signed", async () => {
  const name = "uploads/p/development/ROOT/code bundle é.tar.gz";
  assert.deepEqual(await put(uploadUrl(name, "bytes"), "bytes"), { status: 200, code: null });
  assert.equal(readFileSync(path(name), "utf8"), "bytes");
});

test("another content than was announced is refused, and nothing is there", async () => {
  const name = "uploads/p/development/ROOT/other";
  assert.deepEqual(await put(uploadUrl(name, "bytes"), "bytez"), { status: 400, code: "invalid_argument" });
  assert.throws(() => readFileSync(path(name)));
  const header = { "content-md5": Buffer.from(md5("this")).toString("base64") };
  assert.equal((await put(uploadUrl(name, null), "that", header)).status, 400);
  assert.equal((await put(uploadUrl(name, null), "this", header)).status, 200);
});

test("an altered link opens nothing: not for another file, a later time, another content or more of it", async () => {
  const url = uploadUrl("uploads/p/development/ROOT/mine", "bytes");
  const altered: readonly (readonly [RegExp, string])[] = [
    [/mine/, "yours"],
    [/development/, "production"],
    [/mine/, "..%2F..%2Fyours"],
    [/expires=\d+/, "expires=99999999999"],
    [/max=\d+/, "max=999999999"],
    [/md5=[0-9a-f]+/, `md5=${Buffer.from(md5("bytez")).toString("hex")}`],
    [/md5=[0-9a-f]+&/, ""],
    [/signature=./, "signature=-"],
    [/&signature=.*/, ""],
    [/\/uploads\//, "/downloads/"],
  ];
  for (const [pattern, text] of altered) {
    assert.match(url, pattern);
    const isDownload = text === "/downloads/";
    const response = await fetch(url.replace(pattern, text), isDownload ? {} : { method: "PUT", body: "bytes" });
    const { code } = (await response.json()) as { readonly code: string };
    assert.deepEqual([text, response.status, code], [text, 403, "permission_denied"]);
  }
  assert.equal((await put(url, "bytes")).status, 200, "as it was made, it holds");
});

test("a link holds until it expires", async () => {
  const url = uploadUrl("uploads/p/development/ROOT/late", "bytes", 5_000);
  nowMs += 4_000;
  assert.equal((await put(url, "bytes")).status, 200);
  nowMs += 3_000;
  assert.deepEqual(await put(url, "bytes"), { status: 403, code: "permission_denied" });
});

test("no link is made for a file outside of the storage", () => {
  for (const outside of ["/etc/passwd", `${storage.root}/../keys/signing.key`, storage.root]) {
    const file = { path: outside, md5: null, expiresInMs: 1_000 };
    assert.throws(() => links.upload(host(), file), { code: "invalid_argument" });
  }
  assert.throws(() => links.download(new Headers({ host: "evil.com/@x" }), { path: path("a"), expiresInMs: 1 }), {
    code: "invalid_argument",
  });
});

test("an upload over the bound is refused for good, announced or not", async () => {
  const name = "uploads/p/development/ROOT/large";
  const large = Buffer.alloc(1_000_001);
  assert.deepEqual(await put(uploadUrl(name, null), large), { status: 413, code: "resource_exhausted" });
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(large));
      controller.close();
    },
  });
  const init = { method: "PUT", body: stream, duplex: "half" } as RequestInit;
  assert.equal((await fetch(uploadUrl(name, null), init)).status, 413);
  assert.throws(() => readFileSync(path(name)));
});

test("an upload that breaks off leaves nothing behind", async () => {
  const url = new URL(uploadUrl("uploads/p/development/ROOT/half", null));
  const socket = connect(server.port, "127.0.0.1");
  socket.write(
    `PUT ${url.pathname}${url.search} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n${"x".repeat(50_000)}`,
  );
  await until("it has begun", () => readdirSync(path("tmp")).length > 0);
  socket.destroy();
  await until("it is tidied up", () => readdirSync(path("tmp")).length === 0);
  assert.throws(() => readFileSync(path("uploads/p/development/ROOT/half")));
});

test("downloads come whole or in ranges", async () => {
  mkdirSync(path("runs/p"), { recursive: true });
  writeFileSync(path("runs/p/data.bin"), "0123456789");
  const { url } = links.download(host(), { path: path("runs/p/data.bin"), expiresInMs: 60_000 });
  const get = async (range?: string) => {
    const response = await fetch(url, range === undefined ? {} : { headers: { range } });
    return [response.status, await response.text(), response.headers.get("content-range")] as const;
  };
  assert.deepEqual(await get(), [200, "0123456789", null]);
  assert.deepEqual(await get("bytes=2-4"), [206, "234", "bytes 2-4/10"]);
  assert.deepEqual(await get("bytes=7-"), [206, "789", "bytes 7-9/10"]);
  assert.deepEqual(await get("bytes=-3"), [206, "789", "bytes 7-9/10"]);
  assert.deepEqual(await get("bytes=8-99"), [206, "89", "bytes 8-9/10"]);
  assert.deepEqual(await get("bytes=10-"), [416, "", "bytes */10"]);
  assert.deepEqual(await get("lines=1-2"), [200, "0123456789", null]);
  const head = await fetch(url, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, "10"]);
});

test("a report is shown in a sandbox, and what is not there is not found", async () => {
  writeFileSync(path("report.html"), "<h1>Hello</h1>");
  writeFileSync(path("empty.txt"), "");
  const get = (name: string) => fetch(links.download(host(), { path: path(name), expiresInMs: 60_000 }).url);
  const report = await get("report.html");
  assert.match(report.headers.get("content-security-policy") ?? "", /^sandbox/);
  assert.equal(await report.text(), "<h1>Hello</h1>");
  assert.equal(await (await get("empty.txt")).text(), "");
  assert.equal((await get("nothing")).status, 404);
});
