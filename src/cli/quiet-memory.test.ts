// When memory is given back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Quiet } from "./quiet-memory.ts";

test("memory is given back once after each time of work, and not while there is any", () => {
  const quiet = new Quiet();
  const looks = [0.8, 0.001, 0.001, 0.002, 0.5, 0.04, 0.001, 0.001];
  assert.deepEqual(
    looks.map((utilization) => quiet.look(utilization)),
    [false, true, false, false, false, false, true, false],
  );
});

test("a server that has started and is left alone gives back what its start took", () => {
  assert.equal(new Quiet().look(0.001), true);
});
