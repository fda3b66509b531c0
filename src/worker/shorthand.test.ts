// What is said once for many is understood by all of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Call, Launch } from "../core/messages.ts";
import type { TaskSpec } from "../core/task.ts";
import { callsOf, LaunchReader, LaunchWriter, maxBases, shortCalls } from "./shorthand.ts";

const overPipe = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

const plain = { noNullPrototype: true };

const resources = { cpuMillis: 1_000, memoryBytes: null };
const specs = Array.from({ length: 40 }, (_, index) => ({ name: `t${index}`, resources }) as TaskSpec);

const launchOf = (spec: number, run: number, depth: number, action: string): Launch => ({
  run,
  runName: `r${run}`,
  project: "p",
  domain: "d",
  action,
  attempt: 1,
  depth,
  isRecovery: false,
  bundle: `b${run}`,
  projectDir: "/",
  spec: specs[spec] as TaskSpec,
  resources,
  inputs: { type: "inline", text: action },
  seed: 7,
  checkpoint: null,
});

const launch = fc
  .tuple(fc.nat(specs.length - 1), fc.nat(9), fc.nat(2), fc.string())
  .map(([spec, run, depth, action]) => launchOf(spec, run, depth, action));

test("a worker reads the launches that were written for it, of however many tasks and runs", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(launch, { maxLength: 200, size: "max" }), { size: "max", maxLength: 20 }),
      (messages) => {
        const writer = new LaunchWriter();
        const reader = new LaunchReader();
        for (const launches of messages) assert.deepEqual(reader.read(overPipe(writer.write(launches))), launches);
      },
    ),
    { numRuns: 30 },
  );
  const many = Array.from({ length: 3 * maxBases }, (_, index) => launchOf(index % 40, index, 0, `a${index}`));
  const reader = new LaunchReader();
  assert.deepEqual(reader.read(overPipe(new LaunchWriter().write([...many, ...many]))), [...many, ...many]);
});

test("a spec goes over the pipe once", () => {
  const writer = new LaunchWriter();
  const first = JSON.stringify(writer.write([launchOf(0, 1, 0, "a"), launchOf(0, 1, 0, "b"), launchOf(1, 1, 0, "c")]));
  assert.equal(first.split("t0").length - 1, 1);
  const second = JSON.stringify(writer.write([launchOf(0, 1, 0, "d"), launchOf(1, 1, 0, "e")]));
  assert.doesNotMatch(second, /t0|t1/);
});

test("calls are read as they were made, whatever they have in common", () => {
  const call = fc.record(
    {
      type: fc.constant("task" as const),
      name: fc.string(),
      isNamed: fc.boolean(),
      task: fc.constantFrom("a", "b"),
      overrides: fc.constantFrom<Extract<Call, { type: "task" }>["overrides"]>({}, { cache: { type: "off" } }),
      group: fc.constantFrom(null, "g"),
      identity: fc.constantFrom("i", "j"),
      inputs: fc.record({ type: fc.constant("inline" as const), text: fc.string() }, plain),
      inputsHash: fc.string(),
      inputHashes: fc.constantFrom({}, { x: "h" }),
    },
    plain,
  );
  const trace = fc.record(
    {
      type: fc.constant("trace" as const),
      name: fc.string(),
      label: fc.string(),
      identity: fc.string(),
      inputsHash: fc.string(),
      result: fc.constant(null),
    },
    plain,
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(call, trace)), (calls) => {
      assert.deepEqual(callsOf(overPipe(shortCalls(calls))), calls);
    }),
  );
});
