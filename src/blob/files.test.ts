// The folder of blobs: the suite of all blob stores, then damage, crashes and disks that refuse.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { sha256Hex } from "../core/hash.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { blobSuite, fails } from "./blob.suite.ts";
import { openFileBlobs } from "./files.ts";

const dir = mkdtempSync(join(tmpdir(), "godwit-files-"));
after(() => rmSync(dir, { recursive: true, force: true }));
let count = 0;
const freshDir = (): string => join(dir, String(count++), "blobs");

blobSuite("files", () => openFileBlobs(freshDir()));
blobSuite("memory", async () => memoryBlobs());

const pathOf = (root: string, digest: string): string => join(root, digest.slice(0, 2), digest);
const damage = (path: string, text: string): void => {
  chmodSync(path, 0o644);
  writeFileSync(path, text);
};

test("blobs are read-only files named after their digest, and tmp is empty when all is done", async () => {
  const root = freshDir();
  const blobs = await openFileBlobs(root);
  const { digest } = await blobs.put(Buffer.from("content"));
  assert.equal(await blobs.path(digest), pathOf(root, digest));
  assert.equal(statSync(pathOf(root, digest)).mode & 0o777, 0o444);
  assert.deepEqual(readdirSync(join(root, "tmp")), []);
});

test("damaged bytes are data_loss however they are read, and putting the blob again repairs it", async () => {
  const root = freshDir();
  const { digest } = await (await openFileBlobs(root)).put(Buffer.from("content"));
  for (const text of ["CONTENT", "con"]) {
    const blobs = await openFileBlobs(root);
    await blobs.path(digest);
    damage(pathOf(root, digest), text);
    await assert.rejects(blobs.read(digest), fails("data_loss", new RegExp(digest)));
    await assert.rejects(Array.fromAsync(blobs.stream(digest)), fails("data_loss", /damaged/));
    await assert.rejects(blobs.path(digest), fails("data_loss", /damaged/));
    assert.equal(await blobs.verify(digest), false);
    assert.deepEqual([await blobs.sound([digest]), await blobs.present([digest])], [new Set(), new Set([digest])]);
    await blobs.put(Buffer.from("content"));
    assert.equal(Buffer.from(await blobs.read(digest)).toString(), "content");
  }
});

test("a blob that is stored already is not written again", async () => {
  const root = freshDir();
  const blobs = await openFileBlobs(root);
  const { digest } = await blobs.put(Buffer.from("content"));
  const { ino } = statSync(pathOf(root, digest));
  writeFileSync(join(dir, "copy"), "content");
  await (await openFileBlobs(root)).put(Buffer.from("content"));
  await blobs.putFile(join(dir, "copy"));
  assert.equal(statSync(pathOf(root, digest)).ino, ino);
});

test("what a dead process left in tmp goes after an hour, what is younger stays", async () => {
  const root = freshDir();
  await openFileBlobs(root);
  writeFileSync(join(root, "tmp", "old"), "");
  writeFileSync(join(root, "tmp", "young"), "");
  const longAgo = new Date(Date.now() - 2 * 60 * 60 * 1000);
  utimesSync(join(root, "tmp", "old"), longAgo, longAgo);
  await openFileBlobs(root);
  assert.deepEqual(readdirSync(join(root, "tmp")), ["young"]);
});

const script = (body: string): string => `
  const { openFileBlobs } = await import(${JSON.stringify(join(import.meta.dirname, "files.ts"))});
  const told = (error) => console.log(error.code + ": " + error.message);
  ${body}`;

test("kill -9 at any moment leaves whole blobs only", async () => {
  const root = freshDir();
  for (let round = 0; round < 5; round++) {
    const body = `
      const blobs = await openFileBlobs(${JSON.stringify(root)});
      for (let n = 0; ; n++) console.log((await blobs.put(Buffer.alloc(100_000, "${round}/" + n))).digest);`;
    const writer = spawn(process.execPath, ["--input-type=module", "-e", script(body)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let printed = "";
    for await (const chunk of writer.stdout) {
      printed += chunk;
      if (printed.split("\n").length > 3 + round * 7) writer.kill("SIGKILL");
    }
    const blobs = await openFileBlobs(root);
    const acknowledged = printed.split("\n").filter((line) => line.length === 64);
    assert.deepEqual(await blobs.present(acknowledged), new Set(acknowledged));
    for (const digest of await blobs.list(null, 10_000)) assert.equal(await blobs.verify(digest), true);
  }
});

// A full and a read-only disk of one's own need a namespace of one's own: Linux, where it is allowed.
const canMount = spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;

test("a full disk is resource_exhausted, a read-only one failed_precondition, and both name the path", {
  skip: !canMount,
}, () => {
  const body = `
    const blobs = await openFileBlobs("/mnt/blobs");
    await blobs.put(Buffer.alloc(2_000_000)).catch(told);
    console.log((await blobs.put(Buffer.from("fits"))).digest);
    const { execFileSync } = await import("node:child_process");
    execFileSync("mount", ["-t", "tmpfs", "-o", "remount,ro,size=1m", "tmpfs", "/mnt"]);
    await blobs.put(Buffer.from("other")).catch(told);
    console.log(Buffer.from(await blobs.read("${sha256Hex("fits")}")).toString());
    await (await openFileBlobs("/mnt/blobs")).put(Buffer.from("fits"));
    await openFileBlobs("/mnt/new").catch(told);`;
  const { stdout, stderr } = spawnSync(
    "unshare",
    [
      "-rm",
      "sh",
      "-c",
      'mount -t tmpfs -o size=1m tmpfs /mnt && exec "$@"',
      "sh",
      process.execPath,
      "--input-type=module",
      "-e",
      script(body),
    ],
    { encoding: "utf8" },
  );
  const lines = stdout.trim().split("\n");
  assert.match(lines[0] ?? stderr, /^resource_exhausted: The disk is full.*\/mnt\/blobs\/tmp\/.*Free some space/);
  assert.equal(lines[1], sha256Hex("fits"));
  assert.match(lines[2] ?? "", /^failed_precondition: \/mnt\/blobs\/tmp\/.* read-only/);
  assert.equal(lines[3], "fits");
  assert.match(lines[4] ?? "", /^failed_precondition: \/mnt\/new.* read-only/);
});
