// Tasks of one code call deployed tasks of another, in TypeScript and in Python: values, files, tables and errors
// arrive as what they are, and types that do not go are refused before anything starts.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { type DevServer, serveDev } from "./dev-server.ts";
import { makeProject, type Project } from "./project.ts";
import { pythonEnvironment } from "./python.ts";

let server: DevServer;
let project: Project;

before(async () => {
  server = await serveDev({ GODWIT_PYTHON: join(import.meta.dirname, "../build/python/bin/python") });
  project = makeProject();
});

after(async () => {
  await server?.stop();
  project?.remove();
});

const godwit = async (...words: readonly string[]) => project.run(words, { GODWIT_ENDPOINT: server.endpoint });

async function deployed(...words: readonly string[]): Promise<void> {
  const { code, stderr } = await godwit("deploy", ...words);
  assert.equal(code, 0, stderr);
}

async function ran(...words: readonly string[]) {
  const { stdout, stderr } = await godwit("run", "--remote", ...words, "--json");
  const result = JSON.parse(stdout) as {
    phase: string;
    outputs: unknown;
    error: { code: string; message: string } | null;
  };
  return { ...result, stderr };
}

test("a task calls a deployed one of other code by its name, and that one its own siblings", async () => {
  project.write(
    "callee.ts",
    `import { environment } from "godwit";
import { z } from "zod";
const env = environment({ name: "callee" });
export const inner = env.task({ name: "inner", input: z.object({ x: z.int() }), output: z.int() }, async ({ x }) => x + 1);
export const outer = env.task(
  { name: "outer", input: z.object({ x: z.int() }), output: z.object({ twice: z.int() }) },
  async ({ x }) => ({ twice: 2 * (await inner({ x })) }),
);
`,
  );
  await deployed("callee.ts", "--version", "v1");
  project.write(
    "caller.ts",
    `import { environment, remoteTask } from "godwit";
import { z } from "zod";
const env = environment({ name: "caller" });
const outer = remoteTask({ name: "callee.outer", input: z.object({ x: z.int() }), output: z.object({ twice: z.int() }) });
const wrong = remoteTask({ name: "callee.outer", input: z.object({ x: z.string() }), output: z.object({ twice: z.int() }) });
const missing = remoteTask({ name: "callee.missing" });
export const main = env.task({ name: "main", output: z.int() }, async () => (await outer({ x: 20 })).twice);
export const mistaken = env.task({ name: "mistaken" }, async () => { await wrong({ x: "a" }); });
export const lost = env.task({ name: "lost" }, async () => { await missing(); });
`,
  );
  const main = await ran("caller.ts", "main");
  assert.deepEqual([main.phase, main.outputs], ["succeeded", { o0: 42 }], main.stderr);
  const mistaken = await ran("caller.ts", "mistaken");
  assert.equal(mistaken.phase, "failed");
  assert.equal(mistaken.error?.code, "InterfaceMismatch");
  assert.match(mistaken.error?.message ?? "", /its input "x" is string where integer is expected/);
  const lost = await ran("caller.ts", "lost");
  assert.match(lost.error?.message ?? "", /No task "callee.missing" is deployed in default\/development/);
});

const python = `import pathlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
import flyte, flyte.io
import pandas as pd

env = flyte.TaskEnvironment(name="snake")

class Color(str, Enum):
    red = "red"
    blue = "blue"

@dataclass
class Point:
    x: int
    y: float
    names: list[str]

@env.task
async def point(p: Point, n: int, f: float, when: datetime, tags: dict[str, int], color: Color, maybe: int | None = None) -> Point:
    return Point(x=p.x + n, y=p.y * f + sum(tags.values()), names=p.names + [color.name, when.isoformat(), str(maybe)])

@env.task
async def several(n: int) -> tuple[int, str]:
    return n + 1, "two"

@env.task
async def words(file: flyte.io.File) -> flyte.io.File:
    async with file.open("rb") as reading:
        text = bytes(await reading.read()).decode()
    path = pathlib.Path("upper.txt")
    path.write_text(text.upper())
    return await flyte.io.File.from_local(str(path))

@env.task
async def table(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(double=frame["x"] * 2)

@env.task
async def back(n: int) -> int:
    import flyte.remote
    there = flyte.remote.Task.get("there.triple", version="t1")
    return 1 + await there(x=n)

@env.task
async def fails(n: int) -> int:
    raise ValueError(f"no {n} here")
`;

const calling = `import { environment, File, file, remoteTask, Table, table, TaskError } from "godwit";
import { z } from "zod";
const env = environment({ name: "ts" });
const Point = z.object({ x: z.int(), y: z.number(), names: z.array(z.string()) });
const point = remoteTask({
  name: "snake.point",
  input: z.object({ p: Point, n: z.int(), f: z.number(), when: z.date(), tags: z.record(z.string(), z.int()), color: z.enum(["red", "blue"]), maybe: z.int().nullable() }),
  output: Point,
});
const several = remoteTask({ name: "snake.several", input: z.object({ n: z.int() }), output: z.tuple([z.int(), z.string()]) });
const words = remoteTask({ name: "snake.words", input: z.object({ file: file() }), output: file() });
const frames = remoteTask({ name: "snake.table", input: z.object({ frame: table() }), output: table() });
const fails = remoteTask({ name: "snake.fails", input: z.object({ n: z.int() }), output: z.int() });

const back = remoteTask({ name: "snake.back", version: "p1", input: z.object({ n: z.int() }), output: z.int() });
export const thereAndBack = env.task({ name: "there-and-back", output: z.int() }, async () => back({ n: 5 }));
export const values = env.task({ name: "values", output: z.object({ point: Point, several: z.string() }) }, async () => {
  const [n, text] = await several({ n: 6 });
  const found = await point({ p: { x: 1, y: 2, names: ["a"] }, n: 2, f: 1.5, when: new Date("2026-01-02T03:04:05Z"), tags: { a: 1, b: 2 }, color: "blue", maybe: null });
  return { point: found, several: \`\${n} \${text}\` };
});
export const files = env.task({ name: "files", output: z.string() }, async () => {
  const upper = await words({ file: File.fromText("hello.txt", "hello") });
  return upper.text();
});
export const tables = env.task({ name: "tables", output: z.array(z.int()) }, async () => {
  const made = Table.fromRows([{ x: 1 }, { x: 2 }]);
  const doubled = await frames({ frame: made });
  return (await doubled.rows()).map((row) => Number(row.double));
});
export const errors = env.task({ name: "errors", output: z.string() }, async () => {
  try {
    await fails({ n: 3 });
    return "no error";
  } catch (error) {
    return error instanceof TaskError ? \`\${error.code}: \${error.message}\` : String(error);
  }
});
`;

const there = `import { environment } from "godwit";
import { z } from "zod";
const env = environment({ name: "there" });
const once = env.task({ name: "once", input: z.object({ x: z.int() }), output: z.int() }, async ({ x }) => x);
export const triple = env.task({ name: "triple", input: z.object({ x: z.int() }), output: z.int() }, async ({ x }) => 3 * (await once({ x })));
`;

test("a task calls deployed Python tasks: values, files, tables, errors, and a Python task a TypeScript one", {
  timeout: 300_000,
}, async (t) => {
  const found = pythonEnvironment(t);
  if (found === null) return;
  project.write("snake.py", python);
  const child = spawn(
    `${found.bin}/flyte`,
    [
      "--endpoint",
      server.endpoint.replace("http://", ""),
      "--insecure",
      "deploy",
      "--project",
      "default",
      "--domain",
      "development",
      "--version",
      "p1",
      "snake.py",
      "env",
    ],
    { cwd: project.dir, stdio: ["ignore", "pipe", "pipe"] },
  );
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  assert.equal(child.exitCode, 0, `${out}\n${err}`);
  project.write("there.ts", there);
  await deployed("there.ts", "--version", "t1");
  project.write("calling.ts", calling);
  const values = await ran("calling.ts", "values");
  assert.deepEqual(
    [values.phase, values.outputs],
    [
      "succeeded",
      {
        point: { x: 3, y: 6, names: ["a", "blue", "2026-01-02T03:04:05+00:00", "None"] },
        several: "7 two",
      },
    ],
    values.stderr,
  );
  const files = await ran("calling.ts", "files");
  assert.deepEqual([files.phase, files.outputs], ["succeeded", { o0: "HELLO" }], files.stderr);
  const tables = await ran("calling.ts", "tables");
  assert.deepEqual([tables.phase, tables.outputs], ["succeeded", { o0: [2, 4] }], tables.stderr);
  const thereAndBack = await ran("calling.ts", "there-and-back");
  assert.deepEqual([thereAndBack.phase, thereAndBack.outputs], ["succeeded", { o0: 16 }], thereAndBack.stderr);
  const errors = await ran("calling.ts", "errors");
  assert.match(JSON.stringify(errors.outputs), /ValueError: .*no 3 here/, errors.stderr);
});
