// Lines and messages through real pipes.
import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough, Readable, Writable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { MessageWriter, maxLineBytes, readLines } from "./stream.ts";

/** The lines of these bytes, cut into chunks at these places. */
async function linesOf(bytes: Buffer, cuts: readonly number[], limitBytes?: number): Promise<string[]> {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  const chunks = places.slice(1).map((place, index) => bytes.subarray(places[index], place));
  const lines: string[] = [];
  const source = Readable.from(chunks.filter(({ length }) => length > 0));
  readLines(
    source,
    (line) => lines.push(line),
    () => lines.push("too long"),
    limitBytes,
  );
  await once(source, "end");
  return lines;
}

test("lines come whole, wherever the chunks were cut", async () => {
  const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", " "));
  await fc.assert(
    fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (lines, cuts) => {
      assert.deepEqual(await linesOf(Buffer.from(lines.map((text) => `${text}\n`).join("")), cuts), lines);
    }),
  );
});

test("a line over the limit is told once, and nothing after it", async () => {
  assert.deepEqual(await linesOf(Buffer.from(`ab\n${"x".repeat(11)}\ncd\n`), [5, 9, 14], 10), ["ab", "too long"]);
  assert.deepEqual(await linesOf(Buffer.from(`ab\n${"x".repeat(10)}\ncd\n`), [5, 9], 10), ["ab", "xxxxxxxxxx", "cd"]);
});

test("what is said in one turn is one write", async () => {
  const writes: string[] = [];
  const pipe = new Writable({ write: (chunk, _, done) => done(void writes.push(String(chunk))) });
  const writer = new MessageWriter<number>(pipe);
  for (let message = 0; message < 3; message++) writer.send(message);
  writer.end();
  await once(pipe, "finish");
  assert.deepEqual(writes, ["0\n1\n2\n"]);
});

test("what nobody waits for goes with what is sent next, and by itself if nothing is", async () => {
  const writes: string[] = [];
  let written = Promise.withResolvers<void>();
  const pipe = new Writable({
    write: (chunk, _, done) => {
      writes.push(String(chunk));
      written.resolve();
      done();
    },
  });
  const writer = new MessageWriter<number>(pipe);
  writer.sendLater(0);
  writer.send(1);
  await written.promise;
  assert.deepEqual(writes, ["0\n1\n"]);
  written = Promise.withResolvers();
  writer.sendLater(2);
  const ticking = setInterval(() => undefined, 1_000);
  await written.promise;
  clearInterval(ticking);
  assert.deepEqual(writes.slice(1), ["2\n"]);
});

test("a full pipe is not written to, and senders that can wait do until it is read", async () => {
  const writes: string[] = [];
  let read: () => void = assert.fail;
  const pipe = new Writable({
    highWaterMark: 4,
    write: (chunk, _, done) => {
      writes.push(String(chunk));
      read = done;
    },
  });
  const writer = new MessageWriter<string>(pipe);
  writer.send("longer than the mark");
  await new Promise(setImmediate);
  writer.send("second");
  writer.send("third");
  await new Promise(setImmediate);
  assert.deepEqual(writes, ['"longer than the mark"\n']);
  assert.equal(pipe.writableLength, writes[0]?.length, "nothing more was put into the pipe");
  let isWritable = false;
  const waited = writer.writable().then(() => {
    isWritable = true;
  });
  await new Promise(setImmediate);
  assert.equal(isWritable, false);
  read();
  await new Promise(setImmediate);
  assert.deepEqual(writes.slice(1), ['"second"\n"third"\n']);
  read();
  await waited;
});

test("nobody waits for a pipe that is gone", async () => {
  const pipe = new PassThrough({ highWaterMark: 1 });
  const writer = new MessageWriter<string>(pipe);
  writer.send("full");
  await new Promise(setImmediate);
  const waited = writer.writable();
  pipe.destroy();
  await waited;
  await writer.writable();
});

test("a message longer than a line may be is refused, and the next one goes", () => {
  const writer = new MessageWriter<string>(new PassThrough());
  assert.throws(() => writer.send("x".repeat(maxLineBytes)), { code: "resource_exhausted" });
  writer.send("short");
});
