// What a receiver gets, and where Godwit does not call, against real servers.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { type Reach, type WebhookCall, webhookCaller } from "./webhook.ts";

type Got = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
};

async function receiver(t: TestContext, answer: (response: ServerResponse, got: Got) => void) {
  const got: Got[] = [];
  const server: Server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { method = "", url = "", headers } = request;
    got.push({ method, url, headers, body });
    answer(response, { method, url, headers, body });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { got, url: `http://localhost:${(server.address() as AddressInfo).port}/hook` };
}

const key = Buffer.from("a signing key for tests");
const signingKey = `whsec_${key.toString("base64")}`;

const call = (url: string, more: Partial<WebhookCall["request"]> = {}): WebhookCall => ({
  id: "n1",
  attempt: 2,
  request: { url, method: "POST", headers: { "x-team": "birds" }, body: '{"a":"ü"}', ...more },
  atMs: 1_767_225_600_500,
  timeoutMs: 5_000,
});

const caller = (reach: Reach = "loopback") => webhookCaller({ signingKey, reach });

describe("webhook", () => {
  test("the receiver gets the body as it is, who it is for, and a signature that it can check", async (t) => {
    const { got, url } = await receiver(t, (response) => response.end("thanks"));
    assert.deepEqual(await caller()(call(url)), { type: "taken" });
    const [{ method, headers, body }] = got as [Got];
    assert.equal(method, "POST");
    assert.equal(body, '{"a":"ü"}');
    assert.partialDeepStrictEqual(headers, {
      "content-type": "application/json",
      "x-team": "birds",
      "idempotency-key": "n1",
      "webhook-id": "n1",
      "webhook-attempt": "2",
      "webhook-timestamp": "1767225600",
    });
    const mac = createHmac("sha256", key).update(`n1.1767225600.${body}`).digest("base64");
    assert.equal(headers["webhook-signature"], `v1,${mac}`);
  });

  test("GET carries no body and signs none", async (t) => {
    const { got, url } = await receiver(t, (response) => response.end());
    assert.deepEqual(await caller()(call(url, { method: "GET" })), { type: "taken" });
    assert.equal(got[0]?.body, "");
    const mac = createHmac("sha256", key).update("n1.1767225600.").digest("base64");
    assert.equal(got[0]?.headers["webhook-signature"], `v1,${mac}`);
  });

  test("an answer that refuses is told with its beginning, however long it is", async (t) => {
    const { url } = await receiver(t, (response) => response.writeHead(500).end(`no room ${"x".repeat(1_000_000)}`));
    const answer = await caller()(call(url));
    assert.ok(answer.type === "refused" && !answer.isFinal);
    assert.match(answer.problem, /^It answered 500: no room x+$/);
    assert.ok(answer.problem.length < 1_100);
  });

  test("a redirect is not followed", async (t) => {
    const { got, url } = await receiver(t, (response) => response.writeHead(302, { location: "/elsewhere" }).end());
    const answer = await caller()(call(url));
    assert.ok(answer.type === "refused" && !answer.isFinal);
    assert.equal(got.length, 1);
  });

  test("a receiver that is gone for good is not asked again", async (t) => {
    const { url } = await receiver(t, (response) => response.writeHead(410).end());
    assert.partialDeepStrictEqual(await caller()(call(url)), { type: "refused", isFinal: true });
  });

  test("a receiver that does not answer in time, or in the middle of it, is left", async (t) => {
    const silent = await receiver(t, () => undefined);
    const half = await receiver(t, (response) => {
      response.writeHead(500);
      response.write("I think that");
    });
    for (const { url } of [silent, half]) {
      const answer = await caller()({ ...call(url), timeoutMs: 200 });
      assert.deepEqual(answer, { type: "refused", problem: "It did not answer in time.", isFinal: false });
    }
  });

  test("nobody at the address is a problem that may pass", async () => {
    const answer = await caller()(call("http://127.0.0.1:9/"));
    assert.deepEqual(answer, { type: "refused", problem: "It could not be reached (ECONNREFUSED).", isFinal: false });
  });

  test("without an operator's leave neither this machine nor a private network is called, whatever it is called", async (t) => {
    const { got, url } = await receiver(t, (response) => response.end());
    const { port } = new URL(url);
    const own = ["localhost", "127.0.0.1", "127.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "0x7f.0.0.1"];
    const inner = [
      "10.1.2.3",
      "172.16.0.1",
      "192.168.1.1",
      "100.64.0.1",
      "[fd00::1]",
      "[::ffff:10.0.0.1]",
      "[64:ff9b::a00:1]",
    ];
    const never = [
      "169.254.169.254",
      "0.0.0.0",
      "[::]",
      "[fe80::1]",
      "224.0.0.1",
      "255.255.255.255",
      "[fd00:ec2::254]",
    ];
    const refusals = async (reach: Reach, hosts: readonly string[]) => {
      for (const host of hosts) {
        const answer = await caller(reach)(call(`http://${host}:${port}/hook`));
        assert.partialDeepStrictEqual(answer, { type: "refused", isFinal: true }, `${reach} ${host}`);
        assert.match((answer as { problem: string }).problem, /not a public address/);
      }
    };
    await refusals("public", [...own, ...inner, ...never]);
    await refusals("loopback", [...inner, ...never]);
    await refusals("private", never);
    assert.equal(got.length, 0);
  });

  test("with leave for the machine itself, it is called by any of its names", async (t) => {
    const { got, url } = await receiver(t, (response) => response.end());
    const { port } = new URL(url);
    for (const host of ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]"])
      assert.deepEqual(await caller("loopback")(call(`http://${host}:${port}/`)), { type: "taken" });
    assert.equal(got.length, 3);
  });

  test("other schemes are never called", async () => {
    for (const url of ["file:///etc/passwd", "ftp://example.com/", "not an address", "data:,x"])
      assert.partialDeepStrictEqual(await caller("private")(call(url)), { type: "refused", isFinal: true });
  });
});
