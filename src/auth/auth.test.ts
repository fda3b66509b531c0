// Keys, tokens, and what they are signed with.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import {
  type Auth,
  createClient,
  deleteClient,
  keyAuth,
  listClients,
  noAuth,
  readSigningKey,
  signerFor,
} from "./auth.ts";

const directories: string[] = [];
after(() => {
  for (const dir of directories) rmSync(dir, { recursive: true, force: true });
});

let dataDir: string;
let nowMs: number;
let auth: Auth;
const signer = signerFor(Buffer.alloc(32, 1), "tokens");
const minuteMs = 60_000;

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "godwit-auth-"));
  directories.push(dataDir);
  nowMs = Date.parse("2026-06-01T12:00:00Z");
  auth = keyAuth({ dataDir, signer, nowMs: () => nowMs });
});

const bearer = (token: string): Headers => new Headers({ authorization: `Bearer ${token}` });
const unauthenticated = { code: "unauthenticated" };

test("without authentication everybody is the one who started the server", async () => {
  const open = noAuth("ada");
  assert.equal(open.isRequired, false);
  assert.deepEqual(await open.caller(new Headers()), { subject: "ada" });
});

test("a key gives tokens, and a token says who calls until it expires", async () => {
  const secret = await createClient(dataDir, "ci", nowMs);
  const { token, expiresInSeconds } = await auth.tokenFor("ci", secret);
  assert.equal(expiresInSeconds, 3_600);
  assert.deepEqual(await auth.caller(bearer(token)), { subject: "ci" });
  nowMs += 59 * minuteMs;
  assert.deepEqual(await auth.caller(bearer(token)), { subject: "ci" });
  nowMs += minuteMs;
  await assert.rejects(auth.caller(bearer(token)), { ...unauthenticated, message: /expired/ });
});

test("what proves nothing is refused", async () => {
  const secret = await createClient(dataDir, "ci", nowMs);
  await assert.rejects(auth.tokenFor("ci", `${secret}x`), unauthenticated);
  await assert.rejects(auth.tokenFor("ci", ""), unauthenticated);
  await assert.rejects(auth.tokenFor("other", secret), unauthenticated);
  const { token } = await auth.tokenFor("ci", secret);
  const [body = "", signature = ""] = token.split(".");
  const root = Buffer.from(JSON.stringify({ sub: "root", exp: nowMs * 2 })).toString("base64url");
  const stranger = signerFor(Buffer.alloc(32, 2), "tokens");
  const bad = [
    "",
    "x",
    body,
    `${body}.`,
    `${root}.${signature}`,
    `${body}.${stranger.sign(body)}`,
    `${body}.${signature}A`,
  ];
  for (const wrong of bad) await assert.rejects(auth.caller(bearer(wrong)), unauthenticated, wrong);
  await assert.rejects(auth.caller(new Headers()), { ...unauthenticated, message: /Authorization: Bearer/ });
  await assert.rejects(auth.caller(new Headers({ authorization: `Basic ${token}` })), unauthenticated);
});

test("what was signed for a link is no token", async () => {
  const links = signerFor(Buffer.alloc(32, 1), "links");
  const body = Buffer.from(JSON.stringify({ sub: "root", exp: nowMs * 2 })).toString("base64url");
  await assert.rejects(auth.caller(bearer(`${body}.${links.sign(body)}`)), unauthenticated);
});

test("a key that was taken back opens nothing any more, also not with its tokens", async () => {
  const secret = await createClient(dataDir, "ci", nowMs);
  const { token } = await auth.tokenFor("ci", secret);
  await deleteClient(dataDir, "ci");
  nowMs += 1_000;
  await assert.rejects(auth.caller(bearer(token)), { ...unauthenticated, message: /taken back/ });
  await assert.rejects(auth.tokenFor("ci", secret), unauthenticated);
  await assert.rejects(deleteClient(dataDir, "ci"), { code: "not_found" });
});

test("a task calls as whom it was made a token for, without a key of its own", async () => {
  const token = auth.taskToken("ada", minuteMs);
  assert.deepEqual(await auth.caller(bearer(token)), { subject: "ada" });
  nowMs += minuteMs;
  await assert.rejects(auth.caller(bearer(token)), unauthenticated);
});

test("of a secret only its hash is kept, for its owner's eyes", async () => {
  const secret = await createClient(dataDir, "ci", nowMs);
  const file = join(dataDir, "keys", "clients.json");
  assert.doesNotMatch(readFileSync(file, "utf8"), new RegExp(secret));
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(
    (await listClients(dataDir)).map(({ id }) => id),
    ["ci"],
  );
  await assert.rejects(createClient(dataDir, "ci", nowMs), { code: "already_exists" });
  for (const name of ["", "a b", "a:b", "../x", "A"])
    await assert.rejects(createClient(dataDir, name, nowMs), { code: "invalid_argument" });
});

test("the signing key is made once, whoever comes first, and a broken one is told", async () => {
  const keys = await Promise.all(Array.from({ length: 8 }, () => readSigningKey(dataDir)));
  for (const key of keys) assert.deepEqual(key, keys[0]);
  const file = join(dataDir, "keys", "signing.key");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(join(dataDir, "keys")), ["signing.key"]);
  writeFileSync(file, "short");
  await assert.rejects(readSigningKey(dataDir), { code: "failed_precondition", message: /5 bytes instead of 32/ });
});
