// The quoted lines: whatever their length, the place is in view and the caret is under it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { frameLines } from "./code-frame.ts";
import { noPaint } from "./terminal.ts";
import { visibleWidth } from "./text.ts";

/** The frame, and the character that stands above the caret, found by columns of the terminal. */
function framed(source: string, line: number, column: number, width: number) {
  const frame = frameLines(source, line, column, { width, paint: noPaint });
  const at = frame.findIndex((each) => each.endsWith("^"));
  const caret = visibleWidth(frame[at] as string) - 1;
  let passed = 0;
  const above = [...(frame[at - 1] as string)].find((character) => {
    if (passed === caret) return true;
    passed += visibleWidth(character);
    return false;
  });
  return { frame, above };
}

test("a long line is cut around the place, and no line is wider than the terminal", () => {
  for (const width of [40, 80, 200]) {
    for (const column of [1, 30, 60, 100, 500, 999]) {
      const source = `short\n${"a".repeat(column - 1)}X${"b".repeat(1_000 - column)}\n${"c".repeat(300)}`;
      const { frame, above } = framed(source, 2, column, width);
      assert.equal(above, "X", `column ${column} at ${width}`);
      assert.ok(
        frame.every((each) => visibleWidth(each) <= width),
        frame.join("\n"),
      );
    }
  }
});

test("the caret is under its place after tabs, wide characters and signs of two halves", () => {
  const source = "\tconst 日本 = '🚀'; X";
  assert.equal(framed(source, 1, source.indexOf("X") + 1, 80).above, "X");
});

test("lines beside a place far to the right are cut at the same column", () => {
  const { frame } = framed(`short\n${" ".repeat(200)}X\n${"c".repeat(300)}`, 2, 201, 80);
  assert.equal(frame[0], "    1 │ …");
  assert.match(frame.at(-1) ?? "", /^ {4}3 │ …c+…$/);
});
