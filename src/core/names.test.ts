// Which names are allowed, and that a call's name follows from the call and from nothing else.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  actionName,
  type CallIdentity,
  checkName,
  checkRunName,
  didYouMean,
  nearest,
  newRunName,
  siblingLetters,
  taskIdentity,
} from "./names.ts";

const words = fc.string({ unit: fc.constantFrom("a", "b", "0", ":"), maxLength: 3 });
const identities: fc.Arbitrary<CallIdentity> = fc.record({
  parent: words,
  type: fc.constantFrom("task", "trace", "condition"),
  identity: words,
  inputsHash: words,
  sequence: fc.nat(12),
});

test("the same call has the same name, and any other call another (R1)", () => {
  fc.assert(
    fc.property(identities, identities, (a, b) => {
      assert.match(actionName(a), /^[a-z0-9]{25}$/);
      assert.equal(actionName(a) === actionName(b), JSON.stringify(a) === JSON.stringify(b));
    }),
    { numRuns: 2_000 },
  );
});

test("names of actions stay what they are: stored runs are found by them", () => {
  const name = actionName({ parent: "a0", type: "task", identity: "i", inputsHash: "h", sequence: 0 });
  assert.equal(name, "87uviymb4mnif79tkh45bafks");
});

test("a task's identity is its name and its interface", () => {
  assert.notEqual(taskIdentity("a", "x"), taskIdentity("a", "y"));
  assert.notEqual(taskIdentity("a", "x"), taskIdentity("b", "x"));
});

test("run names are DNS labels", () => {
  for (const name of ["a", "r-1", "0", "a".repeat(63)]) assert.equal(checkRunName(name), name);
  for (const name of ["", "-a", "a-", "A", "a_b", "a.b", "é", "a b", "a\n", "a".repeat(64)]) {
    assert.throws(() => checkRunName(name), { code: "invalid_argument" }, JSON.stringify(name));
  }
});

test("other names begin with a letter, and their error says what was named", () => {
  for (const name of ["a", "_", "train.v2-x", `a${"b".repeat(99)}`]) assert.equal(checkName("task", name), name);
  for (const name of ["", "1a", ".a", "a b", "a/b", "é", "a\n", `a${"b".repeat(100)}`, 3, null, undefined]) {
    assert.throws(() => checkName("task", name), { code: "invalid_argument", message: /^The task name / });
  }
});

test("a made-up run name is allowed, and other bytes make another", () => {
  const bytes = fc.uint8Array({ minLength: 10, maxLength: 10 });
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      assert.equal(checkRunName(newRunName(a)), newRunName(a));
      // The name holds the low 67 of 80 bits: eight bytes and more.
      if (Buffer.compare(a.subarray(2), b.subarray(2)) !== 0) assert.notEqual(newRunName(a), newRunName(b));
    }),
  );
});

test("did you mean: the nearest first, three at most, and nothing far away", () => {
  const known = ["train", "trail", "evaluate", "training", "drain", "brain", "x"];
  assert.deepEqual(nearest("trian", known), ["train"].concat(nearest("trian", known).slice(1)));
  assert.deepEqual(nearest("Train", known)[0], "train");
  assert.ok(nearest("rain", known).length <= 3);
  assert.deepEqual(nearest("zzzzzz", known), []);
  assert.equal(didYouMean("zzzzzz", known), "");
  assert.equal(didYouMean("evalute", known), ' Did you mean "evaluate"?');
  assert.deepEqual(nearest("eval", known), ["evaluate"], "a beginning counts as near");
});

test("siblings are neighbours by name, and calls of another parent are not among them", () => {
  const named = (parent: string, sequence: number): string =>
    actionName({ parent, type: "task", identity: "i", inputsHash: "h", sequence });
  const beginnings = (parent: string): ReadonlySet<string> =>
    new Set(Array.from({ length: 200 }, (_, sequence) => named(parent, sequence).slice(0, siblingLetters)));
  const [a, b] = [beginnings("a0"), beginnings(named("a0", 0))];
  assert.deepEqual([a.size, b.size], [1, 1]);
  assert.notDeepEqual(a, b);
});
