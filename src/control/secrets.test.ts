// Secrets are given to tasks, told to nobody, and useless without their key.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { controlOver, openedControl, saying, scope } from "./records.fixture.ts";
import { seal, unseal } from "./secret-box.ts";
import { keyFile } from "./secret-key.ts";
import { maxSecretBytes } from "./secrets.ts";

const bytes = (text: string): Uint8Array => Buffer.from(text);

/** As text. */
const read = async (values: Promise<ReadonlyMap<string, Uint8Array>>): Promise<Record<string, string>> =>
  Object.fromEntries([...(await values)].map(([name, value]) => [name, Buffer.from(value).toString()]));

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "godwit-secrets-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("a secret is created once, replaced, listed without its value, and deleted", async (t) => {
  const { control, store } = await openedControl(t);
  const { secrets } = control;
  const created = await secrets.create(scope, { name: "API_KEY", value: bytes("one") });
  assert.deepEqual(Object.keys(created).sort(), ["createdAtMs", "domain", "name", "project", "type", "updatedAtMs"]);
  await assert.rejects(secrets.create(scope, { name: "API_KEY", value: bytes("x") }), saying("already_exists"));
  assert.deepEqual(await read(secrets.values(scope, ["API_KEY"])), { API_KEY: "one" });
  const updated = await secrets.update(scope, { name: "API_KEY", value: bytes("two") });
  assert.deepEqual(await secrets.get(scope, "API_KEY"), updated);
  assert.deepEqual(await read(secrets.values(scope, ["API_KEY"])), { API_KEY: "two" });
  assert.deepEqual((await secrets.list(scope, { limit: 9, token: null })).items, [updated]);
  const { items } = await store.listRecords({ kind: "secret", order: "name" }, 9);
  assert.doesNotMatch(JSON.stringify(items), /two|dHdv/);
  await secrets.delete(scope, "API_KEY");
  await assert.rejects(secrets.get(scope, "API_KEY"), saying("not_found"));
  await assert.rejects(secrets.delete(scope, "API_KEY"), saying("not_found"));
});

test("of several secrets of one name the nearest counts", async (t) => {
  const { control } = await openedControl(t);
  const levels = [{ ...scope, project: "", domain: "" }, { ...scope, project: "" }, { ...scope, domain: "" }, scope];
  for (const [at, level] of levels.entries()) {
    await control.secrets.create(level, { name: "TOKEN", value: bytes(`level ${at}`) });
    assert.deepEqual(await read(control.secrets.values(scope, ["TOKEN"])), { TOKEN: `level ${at}` });
  }
  const elsewhere = { ...scope, project: "flytesnacks", domain: "staging" };
  assert.deepEqual(await read(control.secrets.values(elsewhere, ["TOKEN"])), { TOKEN: "level 0" });
});

test("a secret that is missing is named, with what was perhaps meant", async (t) => {
  const { control } = await openedControl(t);
  await control.secrets.create(scope, { name: "API_KEY", value: bytes("one") });
  await assert.rejects(
    control.secrets.values(scope, ["API_KEI", "API_KEY"]),
    saying("not_found", '"API_KEI"', '"API_KEY"?', "default/development"),
  );
  assert.equal((await control.secrets.values(scope, [])).size, 0);
});

test("names and values that cannot be are refused, and nothing is created where nothing can be", async (t) => {
  const { control } = await openedControl(t);
  const create = (name: string, value: Uint8Array) => control.secrets.create(scope, { name, value });
  for (const name of ["", "a b", "../a", "x".repeat(254)])
    await assert.rejects(create(name, bytes("x")), saying("invalid_argument", "secret name"));
  await assert.rejects(create("a", bytes("")), saying("invalid_argument", "is empty"));
  await assert.rejects(
    create("a", new Uint8Array(maxSecretBytes + 1)),
    saying("invalid_argument", String(maxSecretBytes)),
  );
  await create("largest", randomBytes(maxSecretBytes));
  const nowhere = { ...scope, project: "nowhere" };
  await assert.rejects(
    control.secrets.create(nowhere, { name: "a", value: bytes("x") }),
    saying("not_found", "project"),
  );
});

test("the key is a file for its owner alone, made at the first secret and the same for every process", async (t) => {
  const dir = directory(t);
  const path = join(dir, "secrets.key");
  const { control, store, nowMs } = await openedControl(t, keyFile(path));
  await control.projects.get("default");
  assert.deepEqual(readdirSync(dir), []);
  const others = [keyFile(path), keyFile(path)].map((key) => controlOver(store, nowMs, key));
  await Promise.all(
    [control, ...others].map((each, at) => each.secrets.create(scope, { name: `s${at}`, value: bytes(`v${at}`) })),
  );
  assert.deepEqual(readdirSync(dir), ["secrets.key"]);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(await read(control.secrets.values(scope, ["s0", "s1", "s2"])), { s0: "v0", s1: "v1", s2: "v2" });
});

test("without its key, or under another one, a secret cannot be read; it can be set anew", async (t) => {
  const path = join(directory(t), "secrets.key");
  const { control } = await openedControl(t, keyFile(path));
  await control.secrets.create(scope, { name: "a", value: bytes("one") });
  rmSync(path);
  await assert.rejects(control.secrets.values(scope, ["a"]), saying("data_loss", '"a"', "key"));
  writeFileSync(path, `${"ab".repeat(32)}\n`);
  await assert.rejects(control.secrets.values(scope, ["a"]), saying("data_loss", "set the secret anew"));
  writeFileSync(path, "rubbish");
  await assert.rejects(control.secrets.values(scope, ["a"]), saying("data_loss", path));
  rmSync(path);
  await control.secrets.update(scope, { name: "a", value: bytes("two") });
  assert.deepEqual(await read(control.secrets.values(scope, ["a"])), { a: "two" });
});

test("a box opens under its own key and label only, and not when a bit of it has changed", () => {
  const key = randomBytes(32);
  const box = seal(bytes("value"), { key, label: "a" }, randomBytes);
  assert.deepEqual(unseal(box, { key, label: "a" }), bytes("value"));
  assert.equal(unseal(box, { key, label: "b" }), null);
  assert.equal(unseal(box, { key: randomBytes(32), label: "a" }), null);
  for (let at = 0; at < Buffer.from(box, "base64").length; at++) {
    const changed = Buffer.from(box, "base64");
    changed[at] = (changed[at] as number) ^ 1;
    assert.equal(unseal(changed.toString("base64"), { key, label: "a" }), null);
  }
  assert.equal(unseal("AA==", { key, label: "a" }), null);
});
