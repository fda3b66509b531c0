// Files are deployed again when something near them changes, and mistakes in them end nothing.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../testing/until.ts";
import { keepDeployed } from "./redeployment.ts";

test("a file is deployed at once, and again with what is beside it; a mistake is told, and the next change tried", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "godwit-dev-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of ["lib", "node_modules", ".hidden"]) mkdirSync(join(dir, name));
  const file = join(dir, "pipeline.ts");
  writeFileSync(file, "1");
  let deployed = 0;
  const errors: string[] = [];
  const stop = await keepDeployed({
    files: [file],
    deploy: async () => {
      deployed++;
      if (deployed === 2) throw new Error("does not compile");
    },
    onError: (at, error) => errors.push(`${at}: ${(error as Error).message}`),
  });
  t.after(stop);
  assert.equal(deployed, 1);
  writeFileSync(file, "2");
  await until("it is tried again", () => deployed === 2);
  await until("the mistake is told", () => errors.length === 1);
  assert.deepEqual(errors, [`${file}: does not compile`]);
  writeFileSync(join(dir, "node_modules", "x.ts"), "1");
  writeFileSync(join(dir, "notes.txt"), "1");
  writeFileSync(join(dir, "lib", "steps.ts"), "1");
  writeFileSync(file, "3");
  await until("both changes are one", () => deployed === 3);
  await stop();
  writeFileSync(file, "4");
  assert.equal(deployed, 3);
});
