// Inputs as callers of another SDK may pass them: objects of whatever class they have for them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { LiteralSchema } from "#idl/flyteidl2/core/literals_pb.js";
import type { LiteralType } from "../core/value.ts";
import { packJson } from "./idl.ts";
import { literalOf } from "./literal-message.ts";
import { acceptingType } from "./type-message.ts";

const schema = { type: "object", title: "P", properties: { name: { type: "string" } }, required: ["name"] };
const point: LiteralType = { type: "struct", schema };
const value = packJson(schema, { name: "ada" }, "p");
const binary = create(LiteralSchema, {
  value: { case: "scalar", value: { value: { case: "binary", value: { tag: "msgpack", value } } } },
});

/** As Python's SDK sends it: with the member of the union that it chose. */
function sent(type: LiteralType, tag: string) {
  const union = acceptingType(type).type;
  assert.ok(union.case === "unionType");
  const member = union.value.variants.find(({ structure }) => structure?.tag === tag);
  assert.ok(member !== undefined, `there is a member for ${tag}`);
  return create(LiteralSchema, {
    value: { case: "scalar", value: { value: { case: "union", value: { value: binary, type: member } } } },
  });
}

const classes = ["Pydantic Transformer", "Object-Dataclass-Transformer", "Typed Dict"];

test("an object of a Pydantic model, of a dataclass and a dict are the same object to the task", () => {
  for (const tag of classes)
    assert.deepEqual(literalOf(sent(point, tag), point), literalOf(binary, point), `as ${tag}`);
});

test("so they are where the object may be left out", () => {
  const optional: LiteralType = {
    type: "union",
    variants: [
      { tag: "none", type: { type: "simple", simple: "none" } },
      { tag: "object", type: point },
    ],
  };
  for (const tag of classes) {
    const literal = literalOf(sent(optional, tag), optional);
    assert.ok(literal.type === "union");
    assert.equal(literal.tag, "object", `as ${tag}`);
  }
});
