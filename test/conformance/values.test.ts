// Every kind of value of Flyte's SDK: from a client to a task, from one task to another, and back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { flyteServer } from "./server.ts";

test("values of every type arrive as they were sent, between tasks and clients", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const seen = (await server.program("values.py")) as Record<string, unknown>;
  assert.deepEqual(seen.plain, [
    "9007199254740993",
    "1.5",
    "naïve ☃",
    "True",
    "2026-02-03 04:05:06.000789+00:00",
    "2026-02-03 00:00:00+00:00",
    "400 days, 0:00:00.000007",
  ]);
  assert.deepEqual(seen.nested, [[[1], [], [2, 3]], { k: [1, 2.5] }, { a: 1, b: [{ c: null }] }]);
  assert.deepEqual(seen.choices, ["3", "text", "DynamicEnum.GREEN", "DynamicEnum.a"]);
  assert.deepEqual(seen.objects, [
    "Shape(points=[Point(x=9, y=0.5, names=[])], colour=<Colour.RED: 'r'>, by_name={}, note='note')",
    "Model(depth=1, rate=2.0, layers=[], inner={'a': 1.0}, start=None)",
  ]);
  assert.deepEqual(seen.given, ["from the client", 2, 3]);
  assert.deepEqual(seen.everything, {
    files: '["words", "a.txt", "b.txt", "2"]',
    frames: "[6, 3, 2]",
    pickled: "7",
    choices: "(None, ['x'], <Colour.RED: 'r'>, 'b')",
    objects:
      "Shape(points=[Point(x=1, y=0.5, names=[]), Point(x=9, y=0.5, names=[])], colour=<Colour.GREEN: 'g'>, " +
      "by_name={'a': Point(x=2, y=1.5, names=['n'])}, note=None) " +
      "depth=2 rate=0.1 layers=[1, 2] inner={} start=None Pair(left=1, right='r')",
  });
  assert.deepEqual([seen["client reads"], seen["client reads frame"]], ["read by the client", 3]);
});
