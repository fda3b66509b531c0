// Files that tasks have made outside the storage, and what becomes of them.
import assert from "node:assert/strict";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Literal } from "../core/value.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { openStorage } from "./storage.ts";

const dir = realpathSync(mkdtempSync(join(tmpdir(), "godwit-keeping-")));
after(() => rmSync(dir, { recursive: true, force: true }));
const storage = await openStorage({ root: join(dir, "storage"), blobs: memoryBlobs() });
const raw = join(storage.root, "raw");

const blob = (uri: string, dimensionality: "single" | "multipart" = "single"): Literal => ({
  type: "externalBlob",
  uri,
  format: "",
  dimensionality,
  hash: null,
});

async function kept(literal: Literal): Promise<string> {
  const { o0 } = await storage.keepLiterals({ o0: literal }, raw);
  assert.ok(o0?.type === "externalBlob");
  return o0.uri;
}

test("a file of a working directory is there when the directory has gone, and what is kept already stays", async () => {
  const work = join(dir, "work");
  mkdirSync(work);
  writeFileSync(join(work, "f.txt"), "hello");
  const uri = await kept(blob(join(work, "f.txt")));
  rmSync(work, { recursive: true });
  assert.equal(readFileSync(uri, "utf8"), "hello");
  const literals = { o0: blob(uri) };
  assert.equal(await storage.keepLiterals(literals, raw), literals);
});

test("behind a link it is the file that is kept, alone and within a directory", async () => {
  const work = join(dir, "linked");
  mkdirSync(join(work, "shown"), { recursive: true });
  writeFileSync(join(work, "f.txt"), "hello");
  symlinkSync("../f.txt", join(work, "shown", "link.txt"));
  symlinkSync("../gone.txt", join(work, "shown", "dangling.txt"));
  symlinkSync("..", join(work, "shown", "loop"));
  const file = await kept(blob(join(work, "shown", "link.txt")));
  const directory = await kept(blob(join(work, "shown"), "multipart"));
  rmSync(work, { recursive: true });
  assert.ok(file.endsWith("/link.txt"));
  assert.equal(readFileSync(file, "utf8"), "hello");
  assert.equal(readFileSync(join(directory, "link.txt"), "utf8"), "hello");
  assert.deepEqual(readdirSync(directory), ["link.txt"]);
  assert.equal(Buffer.from(await storage.read(file, 100)).toString(), "hello");
});
