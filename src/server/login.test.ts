// Calls that have to prove who makes them, and the page that gives tokens for it.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { AuthMetadataService } from "#idl/flyteidl2/auth/auth_service_pb.js";
import { createClient, keyAuth, signerFor } from "../auth/auth.ts";
import { helloLines, ProjectService, serve } from "./calls.fixture.ts";
import { authenticated, type Server, tokenPage } from "./server.ts";

const dataDir = mkdtempSync(join(tmpdir(), "godwit-login-"));
let server: Server;
let secret: string;

before(async () => {
  secret = await createClient(dataDir, "ci", Date.now());
  const auth = keyAuth({ dataDir, signer: signerFor(Buffer.alloc(32, 1), "tokens"), nowMs: Date.now });
  server = await serve(helloLines, {
    interceptors: [authenticated(auth)],
    taskToken: () => auth.taskToken("tasks", 60_000),
    pages: [tokenPage(auth)],
    routes: async () => (router) => {
      router.service(ProjectService, { getProject: () => ({ project: { id: "x" } }) });
      router.service(AuthMetadataService, { getOAuth2Metadata: () => ({ tokenEndpoint: "here" }) });
    },
  });
});
after(async () => {
  await server.close(0);
  rmSync(dataDir, { recursive: true, force: true });
});

const basic = (id: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${id}:${encodeURIComponent(password)}`).toString("base64")}`,
});

async function ask(form: Record<string, string>, headers: Record<string, string> = {}) {
  const body = new URLSearchParams(form);
  const response = await fetch(`${server.url}/oauth2/token`, { method: "POST", body, headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

async function call(path: string, headers: Record<string, string> = {}) {
  const init = { method: "POST", body: "{}", headers: { "content-type": "application/json", ...headers } };
  const response = await fetch(server.url + path, init);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const getProject = "/flyteidl2.project.ProjectService/GetProject";

test("a client logs in with its key, by Basic or in the form, and calls with the token", async () => {
  const form = { grant_type: "client_credentials", scope: "all" };
  for (const { status, body } of [
    await ask(form, basic("ci", secret)),
    await ask({ ...form, client_id: "ci", client_secret: secret }),
  ]) {
    assert.equal(status, 200);
    assert.equal(body.expires_in, 3_600);
    const answer = await call(getProject, { authorization: `Bearer ${body.access_token}` });
    assert.deepEqual(answer, { status: 200, body: { project: { id: "x" } } });
  }
});

test("a wrong key gets no token, in the words of OAuth", async () => {
  const { status, body } = await ask({ grant_type: "client_credentials" }, basic("ci", "wrong"));
  assert.deepEqual([status, body.error], [401, "invalid_client"]);
  const other = await ask({ grant_type: "password" }, basic("ci", secret));
  assert.deepEqual([other.status, other.body.error], [400, "unsupported_grant_type"]);
  const large = await ask({ grant_type: "x".repeat(10_000) });
  assert.equal(large.body.code, "resource_exhausted");
});

test("a call without a token is unauthenticated, but for the one that says how to get one", async () => {
  const { status, body } = await call(getProject);
  assert.deepEqual([status, body.code], [401, "unauthenticated"]);
  assert.match(String(body.message), /create-key/);
  assert.equal((await call("/flyteidl2.auth.AuthMetadataService/GetOAuth2Metadata")).status, 200);
});

test("a task of this very user needs no token, on the port that is for tasks", async () => {
  const url = `http://localhost:${server.taskPort}${getProject}`;
  const init = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
  assert.notEqual(server.taskPort, server.port);
  assert.equal((await fetch(url, init)).status, 200);
});
