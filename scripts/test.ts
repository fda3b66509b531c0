// Runs the tests: all of them, or with arguments those whose path has one of the words in it.
// Options (they begin with a dash) go to Node's test runner.
//
//   npm test                          npm test -- store sqlite
//   npm test -- --test-name-pattern='a crash' engine
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { compileIdl } from "./idl.ts";
import { makePython } from "./python.ts";

/** A test that hangs fails after this, by name, instead of holding up the whole. */
const testTimeoutMs = 10 * 60_000;

const root = join(import.meta.dirname, "..");
const given = process.argv.slice(2);
const options = given.filter((argument) => argument.startsWith("-"));
const words = given.filter((argument) => !argument.startsWith("-"));

const all = globSync(["src/**/*.test.ts", "test/**/*.test.ts"], { cwd: root }).sort();
const chosen = words.length === 0 ? all : all.filter((file) => words.some((word) => file.includes(word)));
if (chosen.length === 0) {
  process.exit(1);
}

compileIdl();
// Elsewhere whoever wants these tests makes it: it takes a minute and a network.
if (process.env.CI) makePython();
// At least two at a time: many tests wait for child processes.
const concurrency = Math.max(2, availableParallelism());
const runner = spawnSync(
  process.execPath,
  [
    "--conditions=source",
    "--test",
    `--test-concurrency=${concurrency}`,
    `--test-timeout=${testTimeoutMs}`,
    ...options,
    ...chosen,
  ],
  { cwd: root, stdio: "inherit" },
);
process.exit(runner.status ?? 1);
