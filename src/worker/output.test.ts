// Printed text becomes lines of the attempt that printed it.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { AttemptRef } from "../core/messages.ts";
import { maxLineLength, Output } from "./output.ts";

const a: AttemptRef = { run: 1, action: "a", attempt: 1 };
const b: AttemptRef = { run: 1, action: "b", attempt: 1 };

function output() {
  const told: boolean[] = [];
  let owner: AttemptRef | null = null;
  const printed = new Output({ owner: () => owner, nowMs: () => 7, onLines: (isMuch) => told.push(isMuch) });
  const take = (): string[] =>
    printed
      .take()
      .flatMap(({ attempt, lines }) => lines.map(({ stream, text }) => `${attempt?.action ?? "-"} ${stream} ${text}`));
  const own = (attempt: AttemptRef | null): void => {
    owner = attempt;
  };
  return { printed, told, take, own };
}

test("text in pieces becomes whole lines, each of its own attempt and stream", () => {
  const { printed, take } = output();
  printed.print(a, "stdout", "one\ntw");
  printed.print(b, "stdout", "other\r\n");
  printed.print(a, "stderr", "err\n");
  printed.print(a, "stdout", "o\n");
  assert.deepEqual(take(), ["a stdout one", "a stderr err", "a stdout two", "b stdout other"]);
  assert.deepEqual(take(), []);
});

test("what has no end of line is told when the attempt ends", () => {
  const { printed, take } = output();
  printed.print(a, "stdout", "half");
  assert.deepEqual(take(), []);
  printed.end(a);
  assert.deepEqual(take(), ["a stdout half"]);
  printed.print(null, "stderr", "rest");
  printed.endAll();
  assert.deepEqual(take(), ["- stderr rest"]);
});

test("a long line is cut and loses nothing", () => {
  const { printed, take } = output();
  printed.print(a, "stdout", "x".repeat(2 * maxLineLength + 1));
  printed.print(a, "stdout", "y\n");
  assert.deepEqual(
    take().map((line) => line.length - "a stdout ".length),
    [maxLineLength, maxLineLength, 2],
  );
});

test("much text is told at once", () => {
  const { printed, told } = output();
  printed.print(a, "stdout", "x\n");
  printed.print(a, "stdout", `${"y".repeat(1024 * 1024)}\n`);
  assert.equal(told[0], false);
  assert.equal(told.at(-1), true);
});

test("a captured stream gives its text to the owner of the moment, and calls back", async () => {
  const { printed, take, own } = output();
  const stream = new PassThrough() as unknown as NodeJS.WriteStream;
  printed.capture(stream, "stdout");
  const euro = Buffer.from("€");
  own(a);
  stream.write(euro.subarray(0, 1));
  stream.write(euro.subarray(1));
  await new Promise<void>((resolve) => stream.write("\n", () => resolve()));
  own(null);
  await new Promise<void>((resolve) => stream.write("nobody's\n", "utf8", () => resolve()));
  assert.deepEqual(take(), ["a stdout €", "- stdout nobody's"]);
});
