// A condition that tells by webhook that it waits, and is answered by the link that went along: over the protocol,
// against a real server, with a receiver of its own.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLog } from "../src/server/server.ts";
import { openService } from "../src/service.ts";
import { noDecisions, readImageSettings, readServerSettings } from "../src/settings/settings.ts";

async function served(t: TestContext) {
  const dataDir = mkdtempSync(join(tmpdir(), "godwit-condition-"));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const sources = { file: join(dataDir, "none.json"), isNamed: false, env: {} };
  const server = readServerSettings({ ...sources, flags: { port: "0" }, defaults: { webhooks: "loopback" } });
  const images = readImageSettings(sources);
  const service = await openService({ dataDir, engine: noDecisions, server, images, user: "ada", log: silentLog });
  t.after(() => service.close());
  const { url } = service.server;
  return async (method: string, body: unknown): Promise<Record<string, unknown>> => {
    const response = await fetch(`${url}/flyteidl2.${method}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = (await response.json()) as Record<string, unknown>;
    assert.equal(response.status, 200, `${method}: ${JSON.stringify(answer)}`);
    return answer;
  };
}

/** What it was sent, once. */
async function receiver(t: TestContext) {
  const { promise, resolve } = Promise.withResolvers<Record<string, string>>();
  const server = createServer((request: IncomingMessage, response) => {
    let text = "";
    request.on("data", (piece) => (text += piece));
    request.on("end", () => {
      response.end();
      resolve(JSON.parse(text) as Record<string, string>);
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, received: promise };
}

const run = { project: "flytesnacks", domain: "development", name: "asks" };

/** It runs for a minute, and what it calls is called by the test on its behalf. */
const sleep = {
  taskTemplate: {
    id: { name: "tests.sleep", version: "1" },
    type: "core-sleep",
    interface: { inputs: { variables: [{ key: "duration", value: { type: { simple: "DURATION" } } }] } },
  },
};
const minute = { scalar: { primitive: { duration: "60s" } } };

test("who is told that a condition waits can answer it by the link, once, and with its type", async (t) => {
  const call = await served(t);
  const { url, received } = await receiver(t);
  const inputs = { literals: [{ name: "duration", value: minute }] };
  await call("workflow.RunService/CreateRun", { runId: run, taskSpec: sleep, inputs });
  const id = (name: string) => ({ run, name });
  const details = async (name: string) => {
    const answer = await call("workflow.RunService/GetActionDetails", { actionId: id(name) });
    return answer.details as { readonly status: { readonly phase: string } };
  };
  while ((await details("a0")).status.phase !== "ACTION_PHASE_RUNNING");
  const condition = {
    name: "approve",
    type: { simple: "BOOLEAN" },
    webhook: { url, payload: { answer: "{callback_uri}", text: "may it go on?" } },
  };
  await call("actions.ActionsService/Enqueue", {
    action: { actionId: id("asked"), parentActionName: "a0", condition },
  });
  const told = await received;
  assert.equal(told.text, "may it go on?");
  assert.equal((await details("asked")).status.phase, "ACTION_PHASE_PAUSED");

  const answer = (body: string, link = told.answer ?? "") => fetch(link, { method: "POST", body });
  const altered = (told.answer ?? "").replace("/asked?", "/other?");
  assert.equal((await answer("true", altered)).status, 403);
  assert.equal((await answer('"yes"')).status, 400, "a text is no boolean");
  assert.equal((await answer("so be it")).status, 400, "that is no JSON");
  assert.equal((await answer('{"value":true}')).status, 200);
  assert.equal((await details("asked")).status.phase, "ACTION_PHASE_SUCCEEDED");
  assert.equal((await answer("false")).status, 400, "it has been answered");
});
