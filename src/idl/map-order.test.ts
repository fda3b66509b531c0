// One message has one form of bytes, whatever the order in which its maps came.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { SimpleType } from "#idl/flyteidl2/core/types_pb.js";
import { type TaskSpec, TaskSpecSchema } from "#idl/flyteidl2/task/task_definition_pb.js";
import { specDigest } from "../core/task.ts";
import { mapsInOrder } from "./map-order.ts";
import { taskSpecOf } from "./task-spec-message.ts";

/** Maps of strings, of messages, in lists, in a oneof, and JSON in all of its depths. */
function message(turned: (entries: object) => JsonObject): TaskSpec {
  const schema = turned({
    type: "object",
    properties: turned({ a: turned({ x: 1, y: [turned({ p: 1, q: 2 })] }), b: 1 }),
  });
  const variable = { type: { type: { case: "simple", value: SimpleType.STRUCT }, metadata: schema } } as const;
  return create(TaskSpecSchema, {
    taskTemplate: {
      id: { name: "env.task" },
      type: "python",
      interface: { inputs: { variables: [{ key: "x", value: variable }] } },
      config: turned({ one: "1", two: "2", three: "3" }) as { [key: string]: string },
      custom: turned({ b: 1, a: turned({ d: 1, c: 2 }) }),
      target: { case: "container", value: { image: "i", args: ["a0"] } },
    },
  });
}

const asWritten = (entries: object): JsonObject => entries as JsonObject;
const backwards = (entries: object): JsonObject => Object.fromEntries(Object.entries(entries).reverse());

const bytes = (spec: TaskSpec): Uint8Array => toBinary(TaskSpecSchema, spec);

test("the same message has the same bytes, and means the same", () => {
  const [one, other] = [message(asWritten), message(backwards)];
  assert.notDeepEqual(bytes(one), bytes(other));
  const [first, second] = [one, other].map((each) =>
    mapsInOrder(TaskSpecSchema, fromBinary(TaskSpecSchema, bytes(each))),
  );
  assert.deepEqual(bytes(first as TaskSpec), bytes(second as TaskSpec));
  assert.deepEqual(first, one);
});

test("what is not known of a message stays in it", () => {
  const newer = new Uint8Array([...bytes(message(backwards)), 0xfa, 0x07, 0x03, 1, 2, 3]);
  const kept = bytes(mapsInOrder(TaskSpecSchema, fromBinary(TaskSpecSchema, newer)));
  assert.deepEqual(kept.slice(-6), newer.slice(-6));
});

test("JSON that stands as a message of its own is put in order too", () => {
  const struct = (names: readonly string[]) =>
    create(StructSchema, {
      fields: Object.fromEntries(names.map((name) => [name, { kind: { case: "numberValue" as const, value: 1 } }])),
    });
  assert.deepEqual(
    toBinary(StructSchema, mapsInOrder(StructSchema, struct(["b", "a"]))),
    toBinary(StructSchema, struct(["a", "b"])),
  );
});

test("one task of another SDK has one spec, whichever process has written it", () => {
  const [one, other] = [asWritten, backwards].map((turned) => taskSpecOf(message(turned)));
  assert.ok(one && other);
  assert.equal(specDigest(one), specDigest(other));
});
