// How calls of one task are told apart.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Literals } from "../core/value.ts";
import { action } from "./actions.fixture.ts";
import { callText } from "./call-text.ts";
import { visibleWidth } from "./text.ts";

const text = (literals: Literals): string =>
  callText(action("cccccccc", "a0", { inputs: { type: "inline", text: JSON.stringify(literals) } }));

test("a call is told from its siblings by its scalar inputs", () => {
  assert.equal(
    text({
      depth: { type: "integer", value: "4" },
      rate: { type: "float", value: 0.5 },
      kind: { type: "string", value: "tree" },
      fast: { type: "union", tag: "bool", value: { type: "boolean", value: true } },
    }),
    "train depth=4 rate=0.5 kind=tree fast=true",
  );
  assert.equal(text({ day: { type: "datetime", value: "2026-01-02T00:00:00.000Z" } }), "train day=2026-01-02");
  assert.equal(text({ title: { type: "string", value: "two words" } }), 'train title="two words"');
});

test("lists, objects, files and large inputs are not shown, and nothing grows beyond its bound", () => {
  assert.equal(text({ all: { type: "collection", elements: [] }, none: { type: "none" } }), "train");
  assert.equal(text({ long: { type: "string", value: "x".repeat(2_000) } }), "train");
  assert.ok(visibleWidth(text({ a: { type: "string", value: "日本語".repeat(50) } })) <= 42);
  assert.equal(text({ bad: { type: "string", value: "\u001b[2J\nx" } }), 'train bad=" x"');
  assert.equal(callText(action("cccccccc", "a0", { inputs: { type: "blob", digest: "x" } })), "train");
});
