// The three examples, run as their users run them: by the command, in a data directory of their own.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";

const root = join(import.meta.dirname, "..");

type FileValue = { readonly file: string; readonly path: string; readonly hash: string };

type Summary = {
  readonly phase: string;
  readonly outputs: { readonly [name: string]: unknown };
  readonly error: { readonly message: string } | null;
  readonly actions: { readonly total: number; readonly succeeded: number; readonly cached: number };
};

function workspace(context: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), "godwit-examples-"));
  context.after(() => rmSync(dataDir, { recursive: true }));
  const words = (args: readonly string[]) => [join(root, "bin/godwit.js"), ...args, "--data-dir", dataDir];
  return {
    /** What the command prints. */
    text(...args: readonly string[]): string {
      const { status, stdout, stderr } = spawnSync(process.execPath, words(args), { cwd: root, encoding: "utf8" });
      assert.equal(status, 0, `godwit ${args.join(" ")}\n${stdout}${stderr}`);
      return stdout;
    },
    /** The summary of a run that has to succeed. */
    run(...args: readonly string[]): Summary {
      const summary = JSON.parse(this.text(...args, "--json")) as Summary;
      assert.equal(summary.phase, "succeeded", summary.error?.message);
      return summary;
    },
    start: (...args: readonly string[]) =>
      spawn(process.execPath, words(args), { cwd: root, stdio: ["ignore", "pipe", "inherit"] }),
  };
}

test("penguins: the best model of the sweep knows unseen penguins, and a second run is all cached", (context) => {
  const godwit = workspace(context);
  const first = godwit.run("run", "examples/penguins/pipeline.ts", "main");
  assert.ok((first.outputs.accuracy as number) > 0.9, JSON.stringify(first.outputs));
  assert.equal(first.actions.cached, 0);
  const model = JSON.parse(readFileSync((first.outputs.model as FileValue).path, "utf8"));
  assert.match(model.kind, /^(tree|neighbours)$/);

  const second = godwit.run("run", "examples/penguins/pipeline.ts", "main");
  assert.deepEqual(second.outputs, first.outputs);
  assert.equal(second.actions.cached, second.actions.total - 1, "all but main itself");
});

test("digits: training that is killed resumes after its last epoch, and ends with the same weights", async (context) => {
  const godwit = workspace(context);
  const training = ["run", "examples/digits/pipeline.ts", "main", "--epochs", "8", "--images-per-digit", "100"];
  const whole = godwit.run(...training);
  assert.ok((whole.outputs.accuracy as number) > 0.8, JSON.stringify(whole.outputs));

  const victim = godwit.start(...training, "--name", "killed");
  for await (const line of createInterface({ input: victim.stdout })) if (line.includes("epoch 3")) break;
  victim.kill("SIGKILL");
  if (victim.exitCode === null && victim.signalCode === null) await once(victim, "exit");

  const resumed = godwit.run("resume", "killed");
  assert.deepEqual(resumed.outputs, whole.outputs);
  assert.match(godwit.text("logs", "killed", "train", "--attempt", "all"), /resuming after epoch [2-7]/);
});

test("etl: a command, a table and an archive agree about the weather", (context) => {
  const godwit = workspace(context);
  const { outputs } = godwit.run("run", "examples/etl/pipeline.ts", "main");
  assert.equal(outputs.months, 48);
  assert.equal(outputs.wettest, "2015-12");
  const csv = gunzipSync(readFileSync((outputs.archive as FileValue).path)).toString();
  assert.match(csv, /^month,rainMm,warmest,coldest\n2012-01,173\.3,12\.8,-3\.3\n/);
  assert.equal((outputs.summary as { readonly rows: number }).rows, 48);
});
