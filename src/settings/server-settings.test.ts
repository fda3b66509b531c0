// What operators say of a server, in all three places, and what is said of their mistakes.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { dataDirIn, readServerSettings, type ServerFlags } from "./server-settings.ts";

const dir = mkdtempSync(join(tmpdir(), "godwit-server-settings-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const file = join(dir, "godwit.config.json");
beforeEach(() => rmSync(file, { force: true }));

const write = (server: unknown) => writeFileSync(file, JSON.stringify({ machine: { cpu: 2 }, server }));
const read = (env: { readonly [name: string]: string } = {}, flags: ServerFlags = {}) =>
  readServerSettings({ file, isNamed: false, env, flags });

test("without settings, a server listens on loopback at the port that Flyte's clients expect", () => {
  assert.partialDeepStrictEqual(read(), {
    host: "127.0.0.1",
    port: 8090,
    secondPort: 8080,
    auth: "none",
    publicUrl: null,
  });
});

test("the file is overruled by variables, and these by flags", () => {
  write({ host: "127.0.0.2", port: 1, secondPort: "none", maxUpload: "1Gi", drain: "30s", logLevel: "warn" });
  const settings = read({ GODWIT_PORT: "2", GODWIT_LOG_LEVEL: "error", GODWIT_HOST: "" }, { logLevel: "debug" });
  assert.partialDeepStrictEqual(settings, {
    host: "127.0.0.2",
    port: 2,
    secondPort: null,
    maxUploadBytes: 2 ** 30,
    drainMs: 30_000,
    logLevel: "debug",
  });
});

test("a server that others reach asks who they are, or does not start", () => {
  for (const host of ["0.0.0.0", "::", "10.0.0.1", "example.org"]) {
    assert.throws(() => read({}, { host }), { code: "failed_precondition", message: /--auth keys.*create-key/s });
    assert.equal(read({}, { host, auth: "keys" }).host, host);
  }
  for (const host of ["127.0.0.1", "127.8.8.8", "::1", "localhost"]) assert.equal(read({}, { host }).auth, "none");
});

test("what cannot be meant is refused, with its place", () => {
  const wrong: readonly (readonly [{ readonly [name: string]: unknown }, RegExp])[] = [
    [{ port: 70_000 }, /godwit\.config\.json: server\.port/],
    [{ port: "eight" }, /server\.port/],
    [{ auth: "passwords" }, /server\.auth has to be one of "none", "keys", not "passwords"/],
    [{ publicUrl: "godwit.example.org" }, /server\.publicUrl has to be a URL/],
    [{ publicUrl: "https://example.org/godwit" }, /without a path/],
    [{ prot: 1 }, /server has no setting "prot"\. Did you mean "port"/],
    [{ maxUpload: true }, /server\.maxUpload/],
  ];
  for (const [settings, message] of wrong) {
    write(settings);
    assert.throws(() => read(), { code: "invalid_argument", message });
  }
  rmSync(file);
  assert.throws(() => read({ GODWIT_SECOND_PORT: "x" }), { message: /^GODWIT_SECOND_PORT/ });
  assert.throws(() => read({}, { logFormat: "xml" }), { message: /^--log-format/ });
});

test("a data directory in the file lies beside the file", () => {
  write({ dataDir: "state" });
  assert.equal(dataDirIn(file), join(dir, "state"));
  write({});
  assert.equal(dataDirIn(file), null);
});
