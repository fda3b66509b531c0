// What every blob store must do. Each implementation's test runs this.
import assert from "node:assert/strict";
import {
  chmodSync,
  constants,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type ErrorCode, isGodwitError } from "../core/error.ts";
import { sha256Hex } from "../core/hash.ts";
import type { BlobStore } from "./blob.ts";
import { putDirectory, readManifest, writeDirectory } from "./directory.ts";

export const fails = (code: ErrorCode, message: RegExp) => (error: unknown) =>
  isGodwitError(error) && error.code === code && message.test(error.message);

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const absent = "0".repeat(64);

export function blobSuite(name: string, open: () => Promise<BlobStore>): void {
  const dir = mkdtempSync(join(tmpdir(), "godwit-blob-suite-"));
  after(() => rmSync(dir, { recursive: true, force: true }));

  test(`${name}: what is put, from memory, a stream or a file, is read back under the digest of its bytes`, async () => {
    const blobs = await open();
    const large = Buffer.alloc(1_000_000, "0123456789abcdef!");
    writeFileSync(join(dir, "large"), large);
    for (const content of [Buffer.from("hello"), Buffer.alloc(0), large]) {
      const path = join(dir, "content");
      writeFileSync(path, content);
      const expected = { digest: sha256Hex(content), sizeBytes: content.length };
      assert.deepEqual(await blobs.put(content), expected);
      assert.deepEqual(await blobs.put(inChunks(content)), expected);
      assert.deepEqual(await blobs.putFile(path), expected);
      assert.deepEqual(Buffer.from(await blobs.read(expected.digest)), content);
      assert.deepEqual(Buffer.concat(await Array.fromAsync(blobs.stream(expected.digest))), content);
      assert.deepEqual(readFileSync(await blobs.path(expected.digest)), content);
      assert.equal(await blobs.sizeBytes(expected.digest), content.length);
      assert.equal(await blobs.verify(expected.digest), true);
      assert.deepEqual(await blobs.sound([expected.digest, absent]), new Set([expected.digest]));
    }
  });

  test(`${name}: the same bytes put many times at once are one blob`, async () => {
    const blobs = await open();
    const puts = Array.from({ length: 100 }, (_, n) =>
      blobs.put(n % 2 === 0 ? bytes("same") : inChunks(bytes("same"))),
    );
    assert.equal(new Set((await Promise.all(puts)).map(({ digest }) => digest)).size, 1);
    assert.deepEqual(await blobs.list(null, 10), [sha256Hex("same")]);
  });

  test(`${name}: what is not stored is not_found, and absent for questions about it`, async () => {
    const blobs = await open();
    await assert.rejects(blobs.read(absent), fails("not_found", /0000/));
    await assert.rejects(blobs.path(absent), fails("not_found", /0000/));
    await assert.rejects(Array.fromAsync(blobs.stream(absent)), fails("not_found", /0000/));
    await assert.rejects(blobs.putFile(join(dir, "no-such-file")), fails("not_found", /no-such-file/));
    await assert.rejects(blobs.putFile(dir), fails("invalid_argument", /file/));
    assert.equal(await blobs.sizeBytes(absent), null);
    assert.equal(await blobs.verify(absent), null);
    assert.deepEqual(await blobs.present([absent]), new Set());
    assert.deepEqual(await blobs.sound([absent]), new Set());
  });

  test(`${name}: a source that fails leaves nothing behind`, async () => {
    const blobs = await open();
    const broken = async function* () {
      yield bytes("half");
      throw new Error("the source broke");
    };
    await assert.rejects(blobs.put(broken()), /the source broke/);
    assert.deepEqual(await blobs.list(null, 10), []);
  });

  test(`${name}: blobs are listed in order, a page at a time, and deleted by name`, async () => {
    const blobs = await open();
    const digests = (await Promise.all(Array.from({ length: 40 }, (_, n) => blobs.put(bytes(`blob ${n}`)))))
      .map(({ digest }) => digest)
      .sort();
    const pages: string[] = [];
    for (let page = await blobs.list(null, 7); page.length > 0; page = await blobs.list(pages.at(-1) as string, 7))
      pages.push(...page);
    assert.deepEqual(pages, digests);
    await blobs.delete([...digests.slice(0, 39), absent]);
    assert.deepEqual(await blobs.present(digests), new Set(digests.slice(39)));
    assert.deepEqual(await blobs.list(null, 100), digests.slice(39));
  });

  test(`${name}: a directory is written back as it was, and has one digest however it was made`, async () => {
    const blobs = await open();
    const [one, two, back] = [join(dir, "one"), join(dir, "two"), join(dir, "back", "deep")];
    const make = (root: string, paths: readonly string[]) => {
      for (const path of paths) {
        mkdirSync(join(root, path, ".."), { recursive: true });
        writeFileSync(join(root, path), `content of ${path}`);
      }
      chmodSync(join(root, "bin/run"), 0o755);
    };
    make(one, ["z", "a/b/c", "a.txt", "bin/run", "ü"]);
    make(two, ["ü", "bin/run", "a.txt", "a/b/c", "z"]);
    mkdirSync(join(two, "empty"));
    const stored = await putDirectory(blobs, one);
    assert.equal((await putDirectory(blobs, two)).digest, stored.digest);
    assert.deepEqual(
      stored.manifest.files.map(({ path }) => path),
      ["a.txt", "a/b/c", "bin/run", "z", "ü"],
    );
    assert.equal(
      stored.sizeBytes,
      stored.manifest.files.reduce((sum, { path }) => sum + `content of ${path}`.length + (path === "ü" ? 1 : 0), 0),
    );
    assert.deepEqual(await readManifest(blobs, stored.digest), stored.manifest);

    await writeDirectory(blobs, stored.digest, back);
    assert.equal((await putDirectory(blobs, back)).digest, stored.digest);
    assert.ok(statSync(join(back, "bin/run")).mode & constants.S_IXUSR);
    writeFileSync(join(back, "z"), "changed by its owner");
    await writeDirectory(blobs, stored.digest, back);
    assert.equal(readFileSync(join(back, "z"), "utf8"), "content of z");
  });

  test(`${name}: links in a directory are refused, and never followed on writing`, async () => {
    const blobs = await open();
    const linked = join(dir, "linked");
    mkdirSync(linked);
    writeFileSync(join(dir, "secret"), "secret");
    writeFileSync(join(linked, "file"), "file");
    symlinkSync("../secret", join(linked, "leak"));
    await assert.rejects(
      putDirectory(blobs, linked),
      fails("invalid_argument", /leak is a symbolic link to \.\.\/secret, which is outside/),
    );
    rmSync(join(linked, "leak"));
    symlinkSync("file", join(linked, "near"));
    await assert.rejects(
      putDirectory(blobs, linked),
      fails("invalid_argument", /near is a symbolic link to file\. .*cp -RL/),
    );
    await assert.rejects(
      putDirectory(blobs, join(linked, "file")),
      fails("invalid_argument", /a directory was expected/),
    );

    const manifest = await store(blobs, { files: [await fileOf(blobs, "sub/secret"), await fileOf(blobs, "secret")] });
    const target = join(dir, "target");
    mkdirSync(join(dir, "outside"));
    mkdirSync(target);
    symlinkSync("../outside", join(target, "sub"));
    symlinkSync("../secret", join(target, "secret"));
    await writeDirectory(blobs, manifest, target);
    assert.equal(readFileSync(join(target, "sub/secret"), "utf8"), "planted");
    assert.equal(readFileSync(join(dir, "secret"), "utf8"), "secret");
    assert.equal(statSync(join(dir, "outside/secret"), { throwIfNoEntry: false }), undefined);
  });

  test(`${name}: a manifest that leads out of the directory, or is none, is refused`, async () => {
    const blobs = await open();
    for (const path of ["../out", "/etc/out", "a/../../out", "", ".", "a//b", "a\0b"]) {
      const digest = await store(blobs, { files: [await fileOf(blobs, path)] });
      await assert.rejects(writeDirectory(blobs, digest, join(dir, "never")), fails("data_loss", /outside/));
    }
    for (const text of ["no json", "null", "{}", '{"files":[{"path":"a"}]}']) {
      const { digest } = await blobs.put(bytes(text));
      await assert.rejects(writeDirectory(blobs, digest, join(dir, "never")), fails("data_loss", /not the manifest/));
    }
    assert.equal(statSync(join(dir, "never"), { throwIfNoEntry: false }), undefined);
  });
}

const store = async (blobs: BlobStore, manifest: unknown): Promise<string> =>
  (await blobs.put(bytes(JSON.stringify(manifest)))).digest;

const fileOf = async (blobs: BlobStore, path: string) => ({
  path,
  executable: false,
  ...(await blobs.put(bytes("planted"))),
});

async function* inChunks(content: Uint8Array): AsyncIterable<Uint8Array> {
  for (let start = 0; start < content.length; start += 65_537) yield content.subarray(start, start + 65_537);
}
