// The whole source as the tools see it: types, format, lint. So `npm test` alone tells whether all is well.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");

function run(command: string, ...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(join(root, "node_modules/.bin", command), args, {
    cwd: root,
    encoding: "utf8",
  });
  assert.equal(status, 0, `${command} ${args.join(" ")}\n${stdout}${stderr}`);
}

test("the types hold", () => run("tsc", "--project", "."));
test("Biome has nothing to say about format and lint", () => run("biome", "check", "--error-on-warnings", "."));
