// Failures, phases and times in the protocol's messages, and back.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ActionError, errorCodes, phases } from "../core/action.ts";
import { containerErrorOf, errorBytes, executionErrorMessage, executionErrorOf } from "./error-message.ts";
import { phaseMessage, phaseOf } from "./phase-message.ts";
import { durationOfMs, msOfDuration, msOfTimestamp, timestampOfMs } from "./time-message.ts";

const errors: fc.Arbitrary<ActionError> = fc.record({
  code: fc.constantFrom("ValueError", "TypeError", ...Object.values(errorCodes)),
  message: fc.string({ unit: "grapheme" }),
  kind: fc.constantFrom("user" as const, "system" as const),
  recoverable: fc.boolean(),
  stack: fc.constant(null),
  location: fc.constant(null),
  origin: fc.constant(null),
});

test("an error comes back from error.pb and from an action's update as what it was", () => {
  fc.assert(
    fc.property(errors, (error) => {
      assert.deepEqual(containerErrorOf(errorBytes(error)), { ...error });
      assert.deepEqual(executionErrorOf(executionErrorMessage(error)), { ...error });
    }),
  );
});

test("Python finds out of the code that memory ran out", () => {
  const error = { code: errorCodes.outOfMemory, message: "", kind: "user", recoverable: false } as const;
  assert.match(executionErrorMessage({ ...error, stack: null, location: null, origin: null }).code, /OOM/);
});

test("bytes that are no error document are told as such", () => {
  for (const bytes of [[], [0xff, 0xff], [0x0a, 0x05]])
    assert.throws(() => containerErrorOf(Uint8Array.from(bytes)), { code: "data_loss" });
});

test("every phase has its number, and no other number is one", () => {
  assert.deepEqual(phases.map(phaseMessage).map(phaseOf), phases);
  assert.equal(new Set(phases.map(phaseMessage)).size, phases.length);
  for (const number of [0, 11, -1]) assert.throws(() => phaseOf(number), { code: "invalid_argument" });
});

test("milliseconds come back from moments and durations, those before 1970 as well", () => {
  fc.assert(
    fc.property(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }), (ms) => {
      assert.equal(msOfTimestamp(timestampOfMs(ms)), ms);
      assert.ok(timestampOfMs(ms).nanos >= 0);
      assert.equal(msOfDuration(durationOfMs(ms)), ms);
    }),
  );
});
