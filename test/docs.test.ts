// The documents do what they say: what README.md and docs/*.md show is written down, checked and run.
//
// R1  Each document has a project of its own, and what it shows happens there from top to bottom.
// R2  A block of `ts` that begins with `// name.ts` is that file, or a new version of it; a test of the
//     user's is run with node --test. A block without a name is a fragment: its types are checked.
// R3  Each line `npx godwit …` is run as it stands. It has to succeed, unless a comment at its end says
//     otherwise (`# exit 1`).
// R4  A block of `text` below has lines of what the commands above it printed; `…` stands for anything.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { suite, test } from "node:test";
import { makeProject, type Project } from "./project.ts";

const root = join(import.meta.dirname, "..");
const documents = ["README.md", ...globSync("docs/*.md", { cwd: root }).sort()];

type Block = { readonly language: string; readonly line: number; readonly lines: readonly string[] };

type Step =
  | { readonly type: "file"; readonly name: string; readonly content: string }
  | { readonly type: "fragment"; readonly content: string }
  | { readonly type: "command"; readonly command: string; readonly exitCode: number }
  | { readonly type: "output"; readonly lines: readonly string[] };

/** A step, and where it is written. */
type Placed = { readonly step: Step; readonly place: string };

const stepsOf = new Map(documents.map((document) => [document, readSteps(document)]));

suite("what the documents show is so", { concurrency: 2 }, () => {
  for (const [document, steps] of stepsOf) {
    if (steps.every(({ step }) => step.type === "fragment")) continue;
    test(`${document}: its files and commands do what it says`, async (context) => {
      const project = newProject();
      context.after(() => project.remove());
      await follow(project, steps);
    });
  }

  test("the types of every example are right", (context) => {
    const project = newProject();
    context.after(() => project.remove());
    const problems = typeProblems(project, [...stepsOf.values()]);
    assert.equal(problems, "");
  });
});

test("links between documents lead somewhere", () => {
  for (const document of [...documents, "ARCHITECTURE.md", "STYLE.md"]) {
    const links = readFileSync(join(root, document), "utf8").matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g);
    for (const [link, path = "", heading] of links) {
      const target = path === "" ? join(root, document) : join(root, document, "..", path);
      assert.ok(existsSync(target), `${document}: ${link}`);
      if (heading !== undefined) assert.ok(headingsOf(target).includes(heading), `${document}: ${link}`);
    }
  }
});

/** As GitHub names them in links. */
const headingsOf = (path: string): readonly string[] =>
  [...readFileSync(path, "utf8").matchAll(/^#+ (.*)$/gm)].map(([, text = ""]) =>
    text
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );

test("a line that a document promises and a command does not print is found", () => {
  const promised = ["✓ main succeeded in …", "sum  5"];
  assert.equal(missingLine(promised, "run a\n  12ms  ✓ main succeeded in 3ms\nsum   5\n"), null);
  assert.equal(missingLine(promised, "✓ main succeeded in 3ms\nsum  6\n"), "sum  5");
});

function newProject(): Project {
  const project = makeProject();
  symlinkSync(root, join(project.dir, "node_modules", "godwit"));
  return project;
}

/** R1. */
async function follow(project: Project, steps: readonly Placed[]): Promise<void> {
  let printed = "";
  for (const { step, place } of steps) {
    switch (step.type) {
      case "file":
        project.write(step.name, step.content);
        if (step.name.endsWith(".test.ts"))
          printed = await succeeds(project, `node --conditions=source --test ${step.name}`, 0, place);
        break;
      case "command":
        printed += await succeeds(project, step.command, step.exitCode, place);
        break;
      case "output":
        assert.equal(missingLine(step.lines, printed), null, `${place}: promised, but not printed:\n${printed}`);
        printed = "";
        break;
      case "fragment":
        break;
    }
  }
}

/** R3. What it printed, to stdout and stderr. */
async function succeeds(project: Project, command: string, exitCode: number, place: string): Promise<string> {
  const npx = 'npx() { shift; "$NODE" "$GODWIT" "$@"; }; node() { "$NODE" "$@"; }';
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn("sh", ["-c", `${npx}; exec 2>&1; ${command}`], {
    cwd: project.dir,
    env: { ...env, NO_COLOR: "1", NODE: process.execPath, GODWIT: join(root, "bin", "godwit.js") },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed, code] = await Promise.all([
    text(child.stdout),
    new Promise<number | null>((resolve) => child.once("close", resolve)),
  ]);
  assert.equal(code, exitCode, `${place}: ${command}\n${printed}`);
  return printed;
}

/** R4. The first line that does not come, or null. */
function missingLine(promised: readonly string[], printed: string): string | null {
  const lines = printed.split("\n");
  for (const line of promised) {
    const words = line.trim().split("…").map(escaped).join(".*").replaceAll(/\s+/g, "\\s+");
    if (!lines.some((each) => new RegExp(words).test(each))) return line;
  }
  return null;
}

const escaped = (words: string): string => words.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&");

const prelude = `import { bytes, condition, context, Dir, dir, environment, File, file, map, NonRecoverableError, Table, TaskError, table, trace } from "godwit";
import { z } from "zod";
const env = environment({ name: "fragment" });
`;

/** What the compiler says of all files and fragments, in the words of places in the documents. */
function typeProblems(project: Project, documents: readonly (readonly Placed[])[]): string {
  const places = new Map<string, string>();
  for (const [number, steps] of documents.entries()) {
    for (const [index, { step, place }] of steps.entries()) {
      if (step.type !== "file" && step.type !== "fragment") continue;
      // Versions of a file lie in directories of their own, with what stood beside them at the time.
      const isFragment = step.type === "fragment";
      const name = isFragment ? `fragment${index}.ts` : step.name;
      const dir = `${number}/${isFragment ? "fragments" : index}`;
      if (!isFragment)
        for (const before of earlierFiles(steps, index)) project.write(`${dir}/${before.name}`, before.content);
      project.write(`${dir}/${name}`, isFragment ? fragmentFile(step.content) : step.content);
      places.set(`${dir}/${name}`, place);
    }
  }
  const compilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, target: "es2024", module: "nodenext", types: ["node"] },
    ...{ allowImportingTsExtensions: true, typeRoots: [join(root, "node_modules/@types")] },
    // Our own sources stand in for the package's declarations, and ask for these.
    ...{ customConditions: ["source"], exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
  };
  writeFileSync(join(project.dir, "tsconfig.json"), JSON.stringify({ compilerOptions, files: [...places.keys()] }));
  const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["--project", "."], {
    cwd: project.dir,
    encoding: "utf8",
  });
  return stdout.replaceAll(/^[\w/.-]+\.ts(?=\()/gm, (file) => `${places.get(file) ?? ""} ${file}`);
}

const fragmentFile = (content: string): string =>
  content.includes('from "godwit"') ? content : `${prelude}${content}\nexport {};`;

function earlierFiles(steps: readonly Placed[], index: number): readonly Extract<Step, { type: "file" }>[] {
  return steps.slice(0, index).flatMap(({ step }) => (step.type === "file" ? [step] : []));
}

function readSteps(document: string): readonly Placed[] {
  return blocksOf(readFileSync(join(root, document), "utf8")).flatMap((block) =>
    stepsOfBlock(block).map((step) => ({ step, place: `${document}:${block.line}` })),
  );
}

function stepsOfBlock({ language, lines }: Block): readonly Step[] {
  const content = `${lines.join("\n")}\n`;
  if (language === "ts") {
    const name = /^\/\/ ([\w./-]+\.tsx?)$/.exec(lines[0] ?? "")?.[1];
    return [name === undefined ? { type: "fragment", content } : { type: "file", name, content }];
  }
  if (language === "text") return [{ type: "output", lines: lines.filter((line) => line.trim() !== "") }];
  return lines
    .filter((line) => line.startsWith("npx godwit "))
    .map((command) => ({ type: "command", command, exitCode: Number(/# exit (\d+)/.exec(command)?.[1] ?? 0) }));
}

function blocksOf(markdown: string): readonly Block[] {
  const blocks: Block[] = [];
  let open: { readonly language: string; readonly line: number; readonly lines: string[] } | null = null;
  for (const [index, line] of markdown.split("\n").entries()) {
    const fence = /^```(\w*)$/.exec(line);
    if (fence === null) open?.lines.push(line);
    else if (open === null) open = { language: fence[1] ?? "", line: index + 1, lines: [] };
    else {
      blocks.push(open);
      open = null;
    }
  }
  return blocks;
}
