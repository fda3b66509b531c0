// Tokens in the arguments of container tasks.
import assert from "node:assert/strict";
import { test } from "node:test";
import { filledTemplate } from "./template.ts";

const tokens = { outputPrefix: "/out", runName: "swift" };

test("a token is found in any case, with dot or dollar, with or without spaces", () => {
  for (const text of ["{{.outputPrefix}}", "{{ .OutputPrefix }}", "{{$OUTPUTPREFIX}}", "{{  $outputprefix}}"])
    assert.equal(filledTemplate(text, tokens), "/out");
  assert.equal(filledTemplate("a/{{.runName}}{{.outputPrefix}}/b", tokens), "a/swift/out/b");
});

test("what is no token, or has no value, stays as it is", () => {
  for (const text of ["{{outputPrefix}}", "{.outputPrefix}", "{{.other}}", "{{.inputs.x}}", "{{.runName.x}}", "{{."])
    assert.equal(filledTemplate(text, tokens), text);
});

test("an input is looked up by its own name, in its own case", () => {
  const inputs = { x: "1", "a.b": "2" };
  assert.equal(filledTemplate("{{.inputs.x}} {{.Inputs.a.b}} {{.inputs.X}}", tokens, inputs), "1 2 {{.inputs.X}}");
  assert.equal(filledTemplate("{{.inputs.toString}}", tokens, inputs), "{{.inputs.toString}}");
});

test("what is put in is never read again", () => {
  assert.equal(filledTemplate("{{.a}}", { a: "{{.b}}$&$1", b: "no" }), "{{.b}}$&$1");
});
