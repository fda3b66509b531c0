// When a retry comes: as laws of the backoff.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Backoff, backoffMs, defaultBackoff } from "./retry.ts";

const backoffs: fc.Arbitrary<Backoff> = fc.record({
  baseMs: fc.nat(100_000),
  factor: fc.double({ min: 1, max: 100, noNaN: true }),
  capMs: fc.nat(10_000_000),
});
const retries = fc.integer({ min: 1, max: 100_000 });

test("a delay is between half and all of what the policy says, in whole milliseconds", () => {
  fc.assert(
    fc.property(backoffs, retries, fc.string(), (backoff, retry, seed) => {
      const delayMs = backoffMs(backoff, retry, seed);
      const fullMs = Math.min(backoff.capMs, backoff.baseMs * backoff.factor ** Math.min(retry - 1, 64));
      assert.ok(Number.isSafeInteger(delayMs));
      assert.ok(delayMs >= Math.floor(fullMs / 2) && delayMs <= Math.ceil(fullMs), `${delayMs} of ${fullMs}`);
    }),
  );
});

test("the same retry of the same action always waits as long (R2)", () => {
  fc.assert(
    fc.property(backoffs, retries, fc.string(), (backoff, retry, seed) => {
      assert.equal(backoffMs(backoff, retry, seed), backoffMs(backoff, retry, seed));
    }),
  );
});

test("actions that failed together do not come back together", () => {
  const delays = Array.from({ length: 100 }, (_, index) => backoffMs(defaultBackoff, 3, `action ${index}`));
  assert.ok(new Set(delays).size > 80);
});

test("delays grow by the factor up to the cap", () => {
  const backoff: Backoff = { baseMs: 1_000, factor: 4, capMs: 60_000 };
  const delays = [1, 2, 3, 4, 50].map((retry) => backoffMs(backoff, retry, "a"));
  for (const [index, fullMs] of [1_000, 4_000, 16_000, 60_000, 60_000].entries()) {
    const delayMs = delays[index] as number;
    assert.ok(delayMs >= fullMs / 2 && delayMs <= fullMs, `${delayMs} of ${fullMs}`);
  }
});

test("a backoff of nothing stays nothing, however fast it grows", () => {
  assert.equal(backoffMs({ baseMs: 0, factor: 100, capMs: 1 }, 1_000, "seed"), 0);
});
