// The benchmark runs: sizes at which its figures say nothing, without the peers, whose packages a test does
// not install.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

const root = join(import.meta.dirname, "..");

function temporaryFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "godwit-bench-test-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

function bench(...args: readonly string[]) {
  return spawnSync(process.execPath, [join(root, "bench/bench.ts"), ...args], { encoding: "utf8" });
}

test("the benchmark measures Godwit beside the limit, prints the ratios and leaves nothing behind", (context) => {
  const folder = temporaryFolder(context);
  const json = join(folder, "figures.json");
  const sizes = ["--quick", "--seconds", "0.1", "--at", "4", "--fan", "30", "--leaves", "200"];
  const what = ["--only", "bare,godwit", "--cases", "calls,fan,tree", "--source"];
  const { status, stdout, stderr } = bench(...sizes, ...what, "--dir", folder, "--json", json);
  assert.equal(status, 0, stdout + stderr);
  assert.match(stdout, /fdatasync of 4 KiB +p50 [\d.]/);
  assert.match(stdout, /durable calls per second, 4 at a time[^\n]*\n[^\n]*\n +bare +rows +[\d,]+ +[\d.]+ ×/);

  const { figures, facts } = JSON.parse(readFileSync(json, "utf8"));
  const lines = figures.map((figure: { case: string; system: string; units: string; outcome: { count: number } }) =>
    [figure.case, figure.system, figure.units, figure.outcome.count > 0].join(" "),
  );
  assert.deepEqual(lines, [
    "calls-4 bare rows true",
    "fan-30 bare rows true",
    "calls-4 godwit tasks, window true",
    "calls-4 godwit tasks, chains true",
    "calls-4 godwit traces true",
    "fan-30 godwit tasks true",
    "fan-30 godwit traces true",
  ]);
  const actions = facts.find(({ what }: { readonly what: string }) => what.startsWith("actions in one run"));
  assert.equal(actions.value, 1 + 10 + 10 + 200);
  assert.deepEqual(readdirSync(folder), ["figures.json"]);
});

test("what the benchmark is asked for in words that it does not know is refused with those that it does", () => {
  const { status, stderr } = bench("--only", "temporal");
  assert.equal(status, 2);
  assert.match(stderr, /--only temporal: there is bare, godwit, dbos, restate/);
});

const isInstalled = existsSync(join(root, "bench/peers/node_modules"));
test("the types of the peers' programs hold", { skip: !isInstalled && "the peers are not installed" }, () => {
  const compiler = join(root, "node_modules/.bin/tsc");
  const { status, stdout } = spawnSync(compiler, ["--project", "bench/peers"], { cwd: root, encoding: "utf8" });
  assert.equal(status, 0, stdout);
});
