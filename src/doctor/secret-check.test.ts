// What doctor says of the key of secrets.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkSecrets } from "./secret-check.ts";

test("a key of secrets that is missing, is none, or is open to others is told", (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "godwit-doctor-"));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const told = (total: number) => checkSecrets({ dataDir }, total).map(({ verdict, text }) => `${verdict}: ${text}`);
  const path = join(dataDir, "secrets.key");
  assert.deepEqual(told(0), []);
  assert.deepEqual(told(2), [`problem: 2 secrets cannot be decrypted: the key ${path} is missing.`]);
  writeFileSync(path, "rubbish", { mode: 0o600 });
  assert.deepEqual(told(1), [`problem: 1 secret cannot be decrypted: the key ${path} is none.`]);
  writeFileSync(path, `${"0a".repeat(32)}\n`);
  assert.deepEqual(told(1), ["good: the key of 1 secret is there"]);
  chmodSync(path, 0o644);
  assert.deepEqual(told(1), [`note: The key ${path} can be read by others than its owner.`]);
});
