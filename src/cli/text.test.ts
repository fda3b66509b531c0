// Numbers, widths and columns.

import assert from "node:assert/strict";
import { test } from "node:test";
import { durationText, fit, printable, sizeText, table, visibleWidth } from "./text.ts";

test("durations keep two units at most", () => {
  const shown = [0, 340, 999.6, 12_340, 59_960, 125_000, 3_840_000, 266_400_000].map(durationText);
  assert.deepEqual(shown, ["0ms", "340ms", "1.0s", "12.3s", "1m 00s", "2m 05s", "1h 04m", "3d 02h"]);
});

test("sizes have three digits at most", () => {
  assert.deepEqual([0, 312, 4_120, 12_000_000, 999_600].map(sizeText), ["0 B", "312 B", "4.1 kB", "12 MB", "1.0 MB"]);
});

test("text is cut to columns, wide characters count two, colours are closed", () => {
  assert.equal(fit("pipeline", 5), "pipe…");
  assert.equal(fit("日本語", 4), "日…");
  assert.equal(fit("\x1b[31mfailed\x1b[39m", 4), "\x1b[31mfai…\x1b[0m");
  assert.equal(visibleWidth("\x1b[31m日\x1b[39m!"), 3);
});

test("what tasks print cannot move the cursor", () => {
  assert.equal(printable("a\x1b[2J\rb\tc\x07"), "a b    c ");
});

test("columns line up under their headings", () => {
  assert.deepEqual(
    table(
      ["A", "LONG"],
      [
        ["first", "x"],
        ["b", "y"],
      ],
    ),
    ["A      LONG", "first  x", "b      y"],
  );
});
