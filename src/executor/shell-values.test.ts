// What goes into commands and comes out of them, and what is said when it cannot.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { putDirectory, readManifest } from "../blob/directory.ts";
import { type BlobLiteral, blobUri, type Literal, type Literals, type LiteralType } from "../core/value.ts";
import { literalFromJson, literalToJson, writeParquet } from "../idl/idl.ts";
import { blobs, dir, fails, float, succeeds } from "./shell.fixture.ts";

const integer: LiteralType = { type: "simple", simple: "integer" };
const string: LiteralType = { type: "simple", simple: "string" };
const boolean: LiteralType = { type: "simple", simple: "boolean" };
const none: LiteralType = { type: "simple", simple: "none" };
const file: LiteralType = { type: "blob", format: "", dimensionality: "single" };
const csv: LiteralType = { type: "blob", format: "csv", dimensionality: "single" };
const folder: LiteralType = { type: "blob", format: "", dimensionality: "multipart" };
const optional = (type: LiteralType): LiteralType => ({
  type: "union",
  variants: [
    { tag: "some", type },
    { tag: "none", type: none },
  ],
});
const list = (element: LiteralType): LiteralType => ({ type: "collection", element });
const table: LiteralType = {
  type: "structuredDataset",
  columns: [
    { name: "mass", type: optional(float) },
    { name: "tags", type: list(string) },
  ],
  format: "parquet",
};

const fileLiteral = async (name: string, text: string): Promise<BlobLiteral> => {
  const { digest, sizeBytes } = await blobs.put(Buffer.from(text));
  return { type: "blob", uri: blobUri(digest, name), format: "", dimensionality: "single", hash: digest, sizeBytes };
};
const textOf = async (literal: Literal | undefined): Promise<string> =>
  Buffer.from(await blobs.read((literal as BlobLiteral).hash)).toString();
const penguins = async () =>
  blobs.put(
    await writeParquet([
      { name: "mass", kind: "float", values: [3.5, null, 4] },
      { name: "tags", kind: "json", values: [["a"], [], null] },
    ]),
  );
const tableLiteral = async (): Promise<Literal> => {
  const { digest, sizeBytes } = await penguins();
  const uri = blobUri(digest, "rows");
  return { type: "structuredDataset", uri, columns: [], format: "parquet", hash: digest, sizeBytes, rows: 3 };
};
const value = (type: LiteralType, json: unknown): Literal => literalFromJson(type, json, "input");

test("inputs are variables, outputs are read from the paths that variables give, by their types", async () => {
  const outputs = await succeeds({
    inputs: { data: file, key: string, n: integer, ratio: float, flag: boolean, missing: optional(string) },
    values: {
      data: await fileLiteral("my data.csv", "b 2\na 1\n"),
      key: value(string, "$HOME 'x' \"y\"\n*"),
      n: value(integer, 9007199254740993n),
      ratio: value(float, 0.5),
      flag: value(boolean, true),
    },
    outputs: {
      sorted: csv,
      lines: integer,
      key2: string,
      all: string,
      share: float,
      flag2: boolean,
      when: { type: "simple", simple: "datetime" },
    },
    command: `sort "$data" > "$sorted"
      wc -l < "$sorted" > "$lines"
      printf '%s\\n' "$key" > "$key2"
      echo "$(basename "$data") $n [$missing]" > "$all"
      echo "  $ratio" > "$share"; echo "$flag" > "$flag2"; echo 2026-01-31T12:00:00Z > "$when"`,
  });
  assert.equal(await textOf(outputs.sorted), "a 1\nb 2\n");
  assert.match((outputs.sorted as BlobLiteral).uri, /\/sorted\.csv$/);
  assert.deepEqual(outputs.lines, { type: "integer", value: "2" });
  assert.deepEqual(outputs.key2, { type: "string", value: "$HOME 'x' \"y\"\n*" });
  assert.deepEqual(outputs.all, { type: "string", value: "my data.csv 9007199254740993 []" });
  assert.deepEqual(outputs.share, { type: "float", value: 0.5 });
  assert.deepEqual(outputs.flag2, { type: "boolean", value: true });
  assert.equal(outputs.when?.type, "datetime");
});

test("a list of words runs without a shell, and nothing in a value is read as anything", async () => {
  const text = "{{inputs.other}}; $(boom) && *";
  const outputs = await succeeds({
    inputs: { text: string, other: string },
    values: { text: value(string, text), other: value(string, "no") },
    outputs: { copy: file, said: string },
    command: [
      "node",
      "-e",
      "const [, t, c, s] = process.argv; for (const p of [c, s]) require('fs').writeFileSync(p, t)",
      "{{ inputs.text }}",
      "{{outputs.copy}}",
      "{{outputs.said}}",
    ],
  });
  assert.equal(await textOf(outputs.copy), text);
  assert.deepEqual(outputs.said, { type: "string", value: text });
});

test("lists, maps and files in them are JSON with paths; directories and tables are paths", async () => {
  mkdirSync(join(dir, "model", "bin"), { recursive: true });
  writeFileSync(join(dir, "model", "weights"), "w");
  writeFileSync(join(dir, "model", "bin", "go"), "#!/bin/sh\necho gone", { mode: 0o755 });
  const stored = await putDirectory(blobs, join(dir, "model"));
  const outputs = await succeeds({
    inputs: { files: list(file), names: list(string), model: folder, rows: table },
    values: {
      files: { type: "collection", elements: [await fileLiteral("x.txt", "one"), await fileLiteral("x.txt", "two")] },
      names: value(list(string), ["a", "b c"]),
      model: {
        type: "blob",
        uri: blobUri(stored.digest, "model"),
        format: "",
        dimensionality: "multipart",
        hash: stored.digest,
        sizeBytes: 2,
      },
      rows: await tableLiteral(),
    },
    outputs: { joined: string, names2: list(string), model2: folder, rows2: table, said: string },
    command: `node -e 'console.log(JSON.parse(process.env.files).map((f) => require("fs").readFileSync(f, "utf8")).join("+"))' > "$joined"
      echo "$names" > "$names2"
      "$model/bin/go" > "$said"
      mkdir "$model2"; cp -R "$model/." "$model2"
      case "$rows" in *.parquet) cp "$rows" "$rows2";; esac`,
  });
  assert.deepEqual(outputs.joined, { type: "string", value: "one+two" });
  assert.deepEqual(literalToJson(outputs.names2 as Literal), ["a", "b c"]);
  assert.deepEqual(outputs.said, { type: "string", value: "gone" });
  const copied = await readManifest(blobs, (outputs.model2 as BlobLiteral).hash);
  assert.deepEqual(copied, stored.manifest);
  const columns = [
    { name: "mass", type: float },
    { name: "tags", type: { type: "struct", schema: null } },
  ];
  assert.deepEqual({ ...outputs.rows2, uri: "" }, { ...(await tableLiteral()), uri: "", columns });
});

test("inputs are read-only, and what a command does to them never reaches what is stored", async () => {
  const data = await fileLiteral("data", "kept");
  const outputs = await succeeds({
    inputs: { data: file },
    values: { data },
    outputs: { mode: string },
    command: 'ls -l "$data" | cut -c1-10 > "$mode"; echo changed > "$data" || true; rm -f "$data"',
  });
  assert.deepEqual(outputs.mode, { type: "string", value: "-r--r--r--" });
  assert.equal(await textOf(data), "kept");
});

test("the environment is the caller's, then the environment's, then the task's, then the values", async () => {
  process.env.GODWIT_TEST_CALLER = "caller";
  process.env.GODWIT_TEST_A = "caller";
  const outputs = await succeeds({
    env: { GODWIT_TEST_A: "spec", B: "spec", C: "spec" },
    taskEnv: { B: "task", C: "task" },
    inputs: { C: string },
    values: { C: value(string, "input") },
    outputs: { seen: string, where: string },
    command: `echo "$GODWIT_TEST_CALLER $GODWIT_TEST_A $B $C $GODWIT_RUN $GODWIT_ATTEMPT $GODWIT_SEED" > "$seen"
      ls -A | wc -l | tr -d ' ' > "$where"; pwd >> "$where"; echo "$GODWIT_PROJECT_DIR" >> "$where"`,
  });
  assert.deepEqual(outputs.seen, { type: "string", value: "caller spec task input swift-run 2 42" });
  const [files, cwd, project] = (outputs.where as { readonly value: string }).value.split("\n");
  assert.equal(files, "0");
  assert.match(cwd ?? "", /attempt-\w+\/work$/);
  assert.equal(project, dir);
});

test("large inputs and outputs pass through blobs, and a missing optional output is none", async () => {
  const numbers = Array.from({ length: 5000 }, (_, n) => n);
  const literals: Literals = { numbers: value(list(integer), numbers) };
  const { digest } = await blobs.put(Buffer.from(JSON.stringify(literals)));
  const outputs = await succeeds({
    inputs: { numbers: list(integer) },
    payload: { type: "blob", digest },
    outputs: { back: list(integer), maybe: optional(file), given: optional(file) },
    command: 'echo "$numbers" > "$back"; echo here > "$given"',
  });
  assert.deepEqual(literalToJson(outputs.back as Literal), numbers);
  assert.deepEqual(outputs.maybe, { type: "union", tag: "none", value: { type: "none" } });
  assert.equal(await textOf((outputs.given as Extract<Literal, { type: "union" }>).value), "here\n");
});

test("an output that is missing or malformed is named, with what was expected and what was found", async () => {
  const output = (type: LiteralType, command: string, message: RegExp) =>
    fails({ outputs: { made: type }, command }, "OutputInvalid", message);
  await output(file, "true", /output "made": expected file, found nothing at the path that \$made gives/);
  await output(integer, 'echo abc > "$made"', /output "made": expected an integer, got "abc/);
  await output(integer, 'echo 1.5 > "$made"', /expected an integer/);
  await output(list(integer), 'echo [1, > "$made"', /output "made": expected list of integer as JSON/);
  await output(file, 'mkdir "$made"', /expected file, found a directory/);
  await output(folder, 'echo x > "$made"', /expected directory, found a file/);
  await output(folder, 'mkdir "$made"; ln -s /etc "$made/out"', /symbolic link to \/etc, which is outside/);
  await output(table, 'echo a,b > "$made"', /expected table, found a file of 4 bytes that is not Parquet/);
  await output(table, 'echo PAR1 broken > "$made"', /expected table, found a Parquet file that cannot be read/);
  const rows = { inputs: { rows: table }, values: { rows: await tableLiteral() }, command: 'cp "$rows" "$made"' };
  const declared = (name: string, type: LiteralType, message: RegExp) =>
    fails({ ...rows, outputs: { made: { ...table, columns: [{ name, type }] } } }, "OutputInvalid", message);
  await declared("bill", float, /no column "bill" \(it has: mass, tags\)/);
  await declared("mass", string, /"mass" of type number instead of text/);
  await output(string, `printf '\\377' > "$made"`, /not UTF-8/);
});

test("an input that cannot be passed on is named, and no command starts", async () => {
  const text = (content: string) => ({
    inputs: { text: string },
    values: { text: value(string, content) },
    command: "echo started",
  });
  const error = await fails(text("x".repeat(200_000)), "InputInvalid", /"text" is 200005 bytes.*file\(\)/);
  assert.equal(error.recoverable, false);
  await fails(text("a\0b"), "InputInvalid", /NUL/);
  await fails({ inputs: { text: string }, command: "true" }, "InputInvalid", /"text" is missing/);
  await fails(
    { inputs: { x: optional(string) }, outputs: { x: string }, command: "true" },
    "InputInvalid",
    /"x" have one name/,
  );
  await fails(
    {
      inputs: { data: file },
      values: { data: { ...(await fileLiteral("x", "x")), uri: "s3://b/x" } },
      command: "true",
    },
    "InputInvalid",
    /s3:/,
  );
  await fails(
    { ...text("x"), command: ["echo", "{{inputs.txt}}"] },
    "CommandFailed",
    /no input "txt"\. Did you mean "text"/,
  );
  const lost = await fails({ payload: { type: "blob", digest: "0".repeat(64) }, command: "true" }, "NotFound", /0000/);
  assert.equal(lost.kind, "system");
});
