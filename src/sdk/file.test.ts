// Files and directories as values.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { z } from "zod";
import type { Literals } from "../core/value.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import { outputCodec } from "./codec.ts";
import { Dir, dir } from "./dir.ts";
import { File, file } from "./file.ts";

const temporary = mkdtempSync(join(tmpdir(), "godwit-file-test-"));
after(() => rmSync(temporary, { recursive: true, force: true }));

const codec = outputCodec(z.object({ value: z.union([file(), dir()]) }), "env.task");

/** What another task gets. */
async function carried<T>(value: T, blobs = memoryBlobs()): Promise<T> {
  const literals = JSON.parse(JSON.stringify(await codec.encode({ value }, blobs))) as Literals;
  return (codec.decode(literals, blobs) as { value: T }).value;
}

function written(name: string, content: string): string {
  const path = join(temporary, name);
  writeFileSync(path, content);
  return path;
}

async function* chunks(): AsyncGenerator<string | Uint8Array> {
  yield "one ";
  yield new TextEncoder().encode("two");
}

const sources: readonly [string, () => File, string][] = [
  ["a path", () => File.fromPath(written("a.txt", "hello")), "hello"],
  ["bytes", () => File.fromBytes("b.txt", new TextEncoder().encode("hello")), "hello"],
  ["text", () => File.fromText("c.txt", "grüße"), "grüße"],
  ["JSON", () => File.fromJson("d.json", { a: [1] }), '{\n  "a": [\n    1\n  ]\n}\n'],
  ["a stream", () => File.fromStream("e.txt", chunks()), "one two"],
];

for (const [from, make, content] of sources) {
  test(`a file from ${from} reads the same in every way, outside a run and in the task that it is given to`, async () => {
    for (const one of [make(), await carried(make())]) {
      assert.equal(await one.text(), content);
      assert.equal(Buffer.from(await one.bytes()).toString(), content);
      assert.equal(Buffer.concat(await Array.fromAsync(one.stream())).toString(), content);
      assert.equal(await one.sizeBytes(), Buffer.byteLength(content));
      const path = await one.path();
      assert.equal(basename(path), make().name);
      assert.equal(readFileSync(path, "utf8"), content);
      const copy = join(temporary, "made", "on", "the", "way", one.name);
      await one.copyTo(copy);
      assert.equal(readFileSync(copy, "utf8"), content);
    }
  });
}

test("a stream is read once, however many ask for it at the same time", async () => {
  const one = File.fromStream("s.txt", chunks());
  assert.deepEqual(await Promise.all([one.text(), one.text(), one.sizeBytes()]), ["one two", "one two", 7]);
  const read = File.fromStream("s.txt", chunks());
  const [text, other] = await Promise.all([read.text(), carried(read)]);
  assert.deepEqual([text, await other.text(), await read.text()], ["one two", "one two", "one two"]);
  const stored = File.fromStream("s.txt", chunks());
  const [another, same] = await Promise.all([carried(stored), stored.text()]);
  assert.deepEqual([same, await another.text(), await stored.text()], ["one two", "one two", "one two"]);
});

test("a stream that breaks fails everybody who asks, and names the value that travels", async () => {
  const broken = File.fromStream(
    "s.txt",
    (async function* () {
      yield "one";
      throw new Error("the line was cut");
    })(),
  );
  await assert.rejects(carried(broken), { message: "env.task: output value: the line was cut" });
  // Nobody has read it yet: that is no failure of the process.
  await new Promise(setImmediate);
  await assert.rejects(broken.text(), { message: "the line was cut" });
});

test("a file that was stored is its content of that moment, whatever becomes of the path", async () => {
  const path = written("changing.txt", "before");
  const blobs = memoryBlobs();
  const one = File.fromPath(path);
  const first = await codec.encode({ value: one }, blobs);
  writeFileSync(path, "after");
  assert.equal(await one.text(), "before");
  assert.deepEqual(codec.encode({ value: one }, blobs), first);
});

test("a file of one store is stored again in another", async () => {
  const [one, two] = [memoryBlobs(), memoryBlobs()];
  const there = await carried(await carried(File.fromText("a.txt", "moved"), one), two);
  await one.delete(await one.list(null, 10));
  assert.equal(await there.text(), "moved");
});

test("a missing file, a directory and a bad name are named, with the value's path when it travels", async () => {
  const missing = File.fromPath(join(temporary, "missing.csv"));
  await assert.rejects(missing.text(), { code: "not_found", message: /There is no file .*missing\.csv/ });
  await assert.rejects(Array.fromAsync(missing.stream()), { code: "not_found" });
  await assert.rejects(missing.path(), { code: "not_found" });
  await assert.rejects(carried(missing), { code: "not_found", message: /^env\.task: output value: .*missing\.csv/ });
  await assert.rejects(File.fromPath(temporary).text(), { code: "invalid_argument", message: /use Dir\.fromPath/ });
  assert.throws(() => File.fromText("a/b", ""), { code: "invalid_argument", message: /no file name/ });
  await assert.rejects(File.fromText("a.json", "{").json(), {
    code: "invalid_argument",
    message: /a\.json is not JSON/,
  });
});

function tree(): string {
  const root = mkdtempSync(join(temporary, "tree-"));
  mkdirSync(join(root, "sub"));
  writeFileSync(join(root, "z.txt"), "z");
  writeFileSync(join(root, "sub", "a.txt"), "aa");
  return root;
}

test("a directory lists, reads and copies its files, outside a run and in the task that it is given to", async () => {
  const root = tree();
  for (const one of [Dir.fromPath(root), await carried(Dir.fromPath(root))]) {
    assert.equal(one.name, basename(root));
    assert.deepEqual(await one.files(), ["sub/a.txt", "z.txt"]);
    assert.equal(await one.file("sub/a.txt").text(), "aa");
    assert.equal(await one.sizeBytes(), 3);
    assert.deepEqual(readdirSync(await one.path()).sort(), ["sub", "z.txt"]);
    const copy = join(mkdtempSync(join(temporary, "copy-")), "new");
    await one.copyTo(copy);
    assert.equal(readFileSync(join(copy, "sub", "a.txt"), "utf8"), "aa");
    await assert.rejects(one.file("sub/b.txt").text(), {
      code: "not_found",
      message: /no file sub\/b\.txt .*Did you mean "sub\/a\.txt"/,
    });
  }
  assert.equal(await (await carried(Dir.fromPath(root).file("z.txt"))).text(), "z");
});

test("a missing directory, or a file in its place, is named", async () => {
  await assert.rejects(carried(Dir.fromPath(join(temporary, "nowhere"))), {
    code: "not_found",
    message: /output value: There is no directory .*nowhere/,
  });
  await assert.rejects(Dir.fromPath(written("plain", "x")).files(), {
    code: "invalid_argument",
    message: /use File\.fromPath/,
  });
});

test("a schema takes files of godwit only, and says so", () => {
  const refused = file().safeParse(new globalThis.File([], "x"));
  assert.match(refused.error?.issues[0]?.message ?? "", /expected a File of godwit/);
  assert.equal(file().safeParse(File.fromText("a", "")).success, true);
  assert.match(dir().safeParse("path").error?.issues[0]?.message ?? "", /expected a Dir of godwit/);
});
