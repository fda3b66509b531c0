// Archives of directories: what goes in comes out, and nothing else.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { GodwitError } from "../core/error.ts";
import { type ArchivedFile, packArchive, unpackArchive } from "./archive.ts";

const limits = { maxFiles: 100, maxBytes: 1_000_000 };
const file = (path: string, content = path, executable = false): ArchivedFile => ({
  path,
  bytes: Buffer.from(content),
  executable,
});
const long = `${"deep/".repeat(40)}file.txt`;
const root = mkdtempSync(join(tmpdir(), "godwit-archive-"));
after(() => rmSync(root, { recursive: true, force: true }));

const tarOf = (name: string, make: (directory: string) => void, ...options: readonly string[]): Uint8Array => {
  const directory = join(root, name);
  mkdirSync(directory, { recursive: true });
  make(directory);
  const { stdout, status } = spawnSync("tar", ["--format=gnu", ...options, "-czf", "-", "-C", directory, "."]);
  assert.equal(status, 0);
  return stdout;
};

const refusal = async (archive: Uint8Array, code: string, message: RegExp): Promise<void> => {
  await assert.rejects(unpackArchive([archive], limits), (error: unknown) => {
    assert(error instanceof GodwitError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  });
};

test("what is packed is unpacked: names of any length, empty files, the executable bit", async () => {
  const files = [file("a.txt", "a".repeat(513)), file(long), file("bin/x", "", true), file("ü/ñ.txt")];
  const unpacked = await unpackArchive([packArchive(files)], limits);
  const plain = (each: readonly ArchivedFile[]) =>
    each.map(({ path, bytes, executable }) => [path, Buffer.from(bytes).toString(), executable]);
  assert.deepEqual(plain(unpacked).sort(), plain(files).sort());
});

test("the same files give the same bytes, in whatever order they come", () => {
  const files = [file("b"), file("a"), file(long)];
  assert.deepEqual(packArchive(files), packArchive([...files].reverse()));
});

test("tar reads our archives, and we read tar's", async () => {
  const archive = packArchive([file("a/b.txt", "b"), file(long, "l")]);
  const { stdout } = spawnSync("tar", ["-xzOf", "-", "a/b.txt", long], { input: archive });
  assert.equal(stdout.toString(), "bl");
  const theirs = tarOf("theirs", (directory) => {
    mkdirSync(join(directory, "deep/".repeat(40)), { recursive: true });
    writeFileSync(join(directory, long), "theirs");
  });
  assert.deepEqual(
    (await unpackArchive([theirs], limits)).map(({ path }) => path),
    [long],
  );
});

test("POSIX's extended headers are read, which Python's tarfile writes", async () => {
  const made = tarOf(
    "posix",
    (directory) => {
      mkdirSync(join(directory, "deep/".repeat(40)), { recursive: true });
      writeFileSync(join(directory, long), "posix");
      writeFileSync(join(directory, "ü.txt"), "ü");
    },
    "--format=posix",
  );
  const files = await unpackArchive([made], limits);
  assert.deepEqual(files.map(({ path, bytes }) => [path, Buffer.from(bytes).toString()]).sort(), [
    [long, "posix"],
    ["ü.txt", "ü"],
  ]);
});

test("links are refused", async () => {
  const archive = tarOf("links", (directory) => symlinkSync("/etc/passwd", join(directory, "passwd")));
  await refusal(archive, "invalid_argument", /"passwd" is a symbolic link/);
});

for (const path of ["/etc/passwd", "../x", "a/../../x", "a//b"]) {
  test(`the path ${path} is refused`, async () => {
    const tar = Buffer.from(gunzipSync(packArchive([file("x".repeat(path.length))])));
    tar.write(path, 0);
    tar.write("        ", 148);
    const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    tar.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    await refusal(gzipSync(tar), "invalid_argument", /leads out/);
    assert.throws(() => packArchive([file(path)]), { code: "invalid_argument" });
  });
}

test("a path that is there twice, or below a file, is refused", async () => {
  const first = gunzipSync(packArchive([file("a")]));
  const both = (path: string) =>
    gzipSync(Buffer.concat([first.subarray(0, 1024), gunzipSync(packArchive([file(path)]))]));
  await refusal(both("a"), "invalid_argument", /twice/);
  await refusal(both("a/b"), "invalid_argument", /below a file/);
});

test("too many files and too many bytes are refused, also when they are small in the archive", async () => {
  await refusal(
    packArchive(Array.from({ length: 101 }, (_, n) => file(`f${n}`))),
    "resource_exhausted",
    /more than 100 files/,
  );
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  await refusal(bomb, "resource_exhausted", /larger than 1000000 bytes/);
});

test("what is no archive, or half of one, is refused", async () => {
  const archive = packArchive([file("a", "a".repeat(5_000))]);
  await refusal(Buffer.from("hello"), "invalid_argument", /not a gzipped archive/);
  await refusal(archive.subarray(0, archive.length - 20), "invalid_argument", /damaged/);
  await refusal(gzipSync(Buffer.from("hello".repeat(1_000))), "invalid_argument", /not a tar archive|not octal/);
  await refusal(gzipSync(gunzipSync(archive).subarray(0, 1024)), "invalid_argument", /ends in the middle/);
});
