// What is damaged on disk, what `godwit doctor` says of it, and what `--repair` and recovering bring back:
// through the real command, on data directories that real runs have left.
import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, before, test } from "node:test";
import { blobFiles } from "./blob-files.ts";
import { type Ended, makeProject, type Project } from "./project.ts";

let project: Project;
const outputs = { o0: 29_000 };

before(async () => {
  project = makeProject();
  project.copy("doctor.ts");
  const main = await project.run(["run", "doctor.ts", "main", "--name", "first", "--json"]);
  assert.equal(main.code, 0, main.stderr);
  assert.deepEqual(JSON.parse(main.stdout).outputs, outputs);
  const training = await project.run(["run", "doctor.ts", "training", "--name", "training"]);
  assert.equal(training.code, 1, training.stderr);
});
after(() => project.remove());

type Finding = {
  readonly check: string;
  readonly verdict: string;
  readonly text: string;
  readonly next: string | null;
};

let copies = 0;
/** A copy of the data directory, so that each test damages its own. */
function copyOfData(): string {
  const dataDir = `data-${copies++}`;
  cpSync(join(project.dir, ".godwit"), join(project.dir, dataDir), { recursive: true });
  return dataDir;
}

async function doctor(dataDir: string, exitCode: number, ...flags: string[]): Promise<readonly Finding[]> {
  const ended = await project.run(["doctor", "--json", "--data-dir", dataDir, ...flags]);
  assert.equal(ended.code, exitCode, ended.stdout + ended.stderr);
  quiet(ended);
  const findings: readonly Finding[] = JSON.parse(ended.stdout).findings;
  // The machine of the tests may have little room; that is not what they are about.
  return findings.filter(({ check }) => check !== "free space");
}

const texts = (findings: readonly Finding[], verdict: string): readonly string[] =>
  findings.filter((finding) => finding.verdict === verdict).map(({ text }) => text);

const quiet = ({ stderr }: Ended): void => assert.doesNotMatch(stderr, /^ +at /m, "no stack of Godwit's own");

function blobOf(dataDir: string, content: RegExp): string {
  const found = blobFiles(project.dir, dataDir).filter((path) => content.test(readFileSync(path, "latin1")));
  assert.equal(found.length, 1, String(content));
  return found[0] as string;
}

function cut(path: string): void {
  chmodSync(path, 0o644);
  truncateSync(path, 3);
}

async function ran(args: readonly string[]): Promise<{
  readonly code: number | null;
  readonly bodies: string[];
  readonly stdout: string;
  readonly stderr: string;
}> {
  const journal = join(project.dir, `journal-${process.hrtime.bigint()}`);
  writeFileSync(journal, "");
  const ended = await project.run([...args, "--json"], { JOURNAL: journal, MENDED: "1" });
  return { ...ended, bodies: readFileSync(journal, "utf8").split("\n").filter(Boolean).sort() };
}

test("a data directory that runs have left is sound, and looking changes nothing", async () => {
  const dataDir = copyOfData();
  const list = (): readonly string[] => readdirSync(join(project.dir, dataDir), { recursive: true, encoding: "utf8" });
  const before = [...list()].sort();
  assert.deepEqual(texts(await doctor(dataDir, 0), "problem"), []);
  assert.deepEqual([...list()].sort(), before);
  assert.deepEqual(texts(await doctor(dataDir, 0, "--repair"), "repaired"), []);
});

const kinds: readonly (readonly [content: RegExp, told: RegExp])[] = [
  [/^the file of one$/, /^The outputs of one \(first\/\w+\) are not whole/],
  [/^the file in the folder$/, /^The outputs of folder \(first\/\w+\) .*\(inner\.txt\)/],
  [/^\{"o0".*the file of one, and of two, the/, /^The outputs of three \(first\/\w+\)/],
  [/^\{.*"the checkpoint"/, /^The checkpoint of trained \(training\/\w+\)/],
  [/^(?!.*env\.task\().*<p>the report<\/p>/s, /^The report of trained \(training\/\w+\)/],
];

for (const [what, damage, words] of [
  ["gone", (path: string) => rmSync(path), /gone/],
  ["damaged", cut, /damaged/],
] as const) {
  test(`bytes that are ${what} are named with what lost them, whatever they are`, async () => {
    const dataDir = copyOfData();
    for (const [content] of kinds) damage(blobOf(dataDir, content));
    const problems = texts(await doctor(dataDir, 1), "problem");
    for (const [content, told] of kinds)
      assert.ok(
        problems.some((text) => told.test(text) && words.test(text)),
        `${content}:\n${problems.join("\n")}`,
      );
  });
}

test("a lost result in the middle is computed again by recovering, and nothing else is", async () => {
  const dataDir = copyOfData();
  rmSync(blobOf(dataDir, /^the file of one, and of two$/));
  const [lost, ...others] = (await doctor(dataDir, 1)).filter(({ verdict }) => verdict === "problem");
  // Its caller's inputs are the same bytes.
  assert.match([lost, ...others].map((finding) => finding?.text).join("\n"), /outputs of two \(first\//);
  assert.match(lost?.next ?? "", /^godwit rerun first --recover/);
  const again = await ran(["rerun", "first", "--recover", "--data-dir", dataDir]);
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(again.bodies, ["two"]);
  assert.deepEqual(JSON.parse(again.stdout).outputs, outputs);
  assert.deepEqual(
    texts(await doctor(dataDir, 0), "problem"),
    [],
    "it is the same bytes, so the old run is whole, too",
  );
});

test("repairing moves damaged bytes aside, forgets checkpoints and cache entries that lost theirs, and says so once", async () => {
  const dataDir = copyOfData();
  const path = blobOf(dataDir, /^\{.*"the checkpoint"/);
  cut(path);
  rmSync(blobOf(dataDir, /^PAR1.*of the table/s));
  const found = await doctor(dataDir, 1);
  assert.deepEqual(texts(found, "repaired"), []);
  const done = texts(await doctor(dataDir, 1, "--repair"), "repaired").join("\n");
  assert.match(done, /The blob \w+ was damaged, and was moved to .*damaged/);
  assert.match(done, /checkpoint of trained .* was forgotten/);
  assert.match(done, /cache entry of bytes\.rows .* was removed/);
  assert.equal(readFileSync(join(project.dir, dataDir, "blobs", "damaged", path.slice(-64)), "utf8"), '{"o');
  const second = await doctor(dataDir, 1, "--repair");
  assert.deepEqual(texts(second, "repaired"), []);
  assert.match(texts(second, "problem").join("\n"), /outputs of rows \(first/);
  const again = await ran(["rerun", "training", "--recover", "--data-dir", dataDir]);
  assert.equal(again.code, 0, again.stderr);
});

test("rows that do not fit each other are named, and put right from those that are to be believed", async () => {
  const dataDir = copyOfData();
  const database = new DatabaseSync(join(project.dir, dataDir, "godwit.db"));
  database.exec(`update phase_count set n = n + 7 where parent = 0;
    insert into reservation (cache_key, run, action) select x'00', id, 'a0' from run where name = 'first';
    update run set phase = 7 where name = 'first'`);
  database.close();
  const problems = texts(await doctor(dataDir, 1), "problem").join("\n");
  for (const words of [
    /count of succeeded actions in run \d+ is kept as \d+, but there are \d+/,
    /cache key is reserved/,
    /Run first is failed, but its root action is succeeded/,
  ])
    assert.match(problems, words);
  assert.equal(texts(await doctor(dataDir, 0, "--repair"), "repaired").length >= 3, true);
  assert.deepEqual(texts(await doctor(dataDir, 0), "problem"), []);
});

test("unpacked code and logs that belong to nothing are noted, and cleared away by repairing", async () => {
  const dataDir = copyOfData();
  const bundles = join(project.dir, dataDir, "bundles");
  const main = readdirSync(bundles, { recursive: true, encoding: "utf8" }).find((path) => path.endsWith("main.mjs"));
  writeFileSync(join(bundles, main ?? ""), "something else");
  mkdirSync(join(project.dir, dataDir, "logs", "123456"), { recursive: true });
  const notes = texts(await doctor(dataDir, 0), "note").join("\n");
  assert.match(notes, /unpacked code .* is not that of its blob/);
  assert.match(notes, /logs\/123456 are of a run that is not in the database/);
  assert.equal(texts(await doctor(dataDir, 0, "--repair"), "repaired").length, 2);
  assert.equal(texts(await doctor(dataDir, 0), "note").filter((text) => /unpacked|123456/.test(text)).length, 0);
});

const damages: { readonly [what: string]: (path: string) => void } = {
  "cut short": (path) => truncateSync(path, 40_000),
  "overwritten at its start": (path) => {
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0, 0, 4_096));
  },
  missing: (path) => rmSync(path),
  empty: (path) => truncateSync(path, 0),
};
for (const [what, damage] of Object.entries(damages)) {
  test(`a database that is ${what} is told as that by every command, and repaired as far as it can be`, async () => {
    const dataDir = copyOfData();
    const path = join(project.dir, dataDir, "godwit.db");
    damage(path);
    for (const command of [
      ["run", "doctor.ts", "main"],
      ["get", "actions", "first"],
    ]) {
      const ended = await project.run([...command, "--data-dir", dataDir]);
      assert.equal(ended.code, 1, `${command[0]}: ${ended.stdout}${ended.stderr}`);
      assert.match(ended.stderr, /godwit\.db .*(damaged|missing or empty).*godwit doctor/);
      quiet(ended);
    }
    assert.match(texts(await doctor(dataDir, 1), "problem").join("\n"), /database is damaged/);
    const repaired = await doctor(dataDir, 0, "--repair");
    assert.match(texts(repaired, "repaired").join("\n"), /The damaged file is kept in .*damaged\/database-\d+/);
    assert.deepEqual(texts(await doctor(dataDir, 0), "problem"), []);
    const again = await ran(["run", "doctor.ts", "main", "--name", "next", "--data-dir", dataDir]);
    assert.equal(again.code, 0, again.stderr);
    if (what === "overwritten at its start") {
      const listed = await project.run(["get", "runs", "--json", "--data-dir", dataDir]);
      assert.deepEqual(
        JSON.parse(listed.stdout).map(({ run }: { run: string }) => run),
        ["next", "training", "first"],
      );
    }
  });
}

test("settings that no run could start with are a problem", async () => {
  const broken = makeProject();
  try {
    broken.write("godwit.config.json", '{ "machine": { "memry": "1Gi" } }');
    const { code, stdout } = await broken.run(["doctor"]);
    assert.equal(code, 1, stdout);
    assert.match(stdout, /✗ settings +.*godwit\.config\.json: machine has no setting "memry"/);
  } finally {
    broken.remove();
  }
});
