// Notifications from the end of a run to a receiver: a real one, on this machine.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { maxBodyBytes, maxTries, type NotificationRule, type ToldPhase } from "../core/notification.ts";
import { openSqliteStore } from "../store/sqlite.ts";
import { crashingStore } from "../testing/crashing-store.ts";
import { at, type Ground, manifest, scope, spec, startMs, triggerGround } from "../testing/trigger-ground.fixture.ts";
import { webhookCaller } from "../webhook/webhook.ts";
import type { SendNotice } from "./notices.ts";

type Got = { readonly headers: IncomingHttpHeaders; readonly body: string };

async function receiver(t: TestContext, statusOf: (call: number) => number = () => 200) {
  const got: Got[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    got.push({ headers: request.headers, body });
    response.writeHead(statusOf(got.length)).end("said");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { got, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook` };
}

const signingKey = "a key for tests";
const send: SendNotice = webhookCaller({ signingKey, reach: "loopback" });

async function opened(t: TestContext, sending: SendNotice = send): Promise<Ground> {
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  return triggerGround({ store, send: sending });
}

const rule = (
  url: string,
  phases: readonly ToldPhase[] = ["failed"],
  body: string | null = null,
): NotificationRule => ({
  phases,
  target: { url, method: "POST", headers: {}, body },
});

const start = (ground: Ground, name: string, notify: readonly NotificationRule[] = []) =>
  ground.control.createRun(scope, {
    name,
    manifest,
    task: spec.name,
    inputs: {},
    source: { file: "f", projectDir: "/" },
    overwriteCache: false,
    recovers: null,
    origin: { notify },
  });

const sent = async ({ control }: Ground, run: string) =>
  (await control.notifications.list(scope, { run, limit: 100, token: null })).items;

test("the end of a run is told once to each target, in the phases that its rules name", async (t) => {
  const { got, url } = await receiver(t);
  const ground = await opened(t);
  const rules = [rule(url), rule(url), rule(`${url}/other`, ["succeeded"])];
  await start(ground, "bad", rules);
  await start(ground, "good", rules);
  await ground.end("bad", "failed");
  await ground.end("good");
  for (const minute of [1, 2, 3]) await ground.lookAt(at(minute));
  assert.equal(got.length, 2);
  const [bad] = got.filter(({ body }) => body.includes("run.failed")) as [Got];
  const told = JSON.parse(bad.body);
  assert.partialDeepStrictEqual(told, {
    type: "run.failed",
    run: { project: "p", domain: "d", name: "bad", task: spec.name, phase: "failed" },
    error: { code: "ValueError", message: "no birds" },
  });
  assert.equal(bad.headers["idempotency-key"], told.id);
  const signed = `${told.id}.${bad.headers["webhook-timestamp"]}.${bad.body}`;
  const mac = createHmac("sha256", signingKey).update(signed).digest("base64");
  assert.equal(bad.headers["webhook-signature"], `v1,${mac}`);
  assert.partialDeepStrictEqual(await sent(ground, "bad"), [{ state: "delivered", tries: 1, problem: null }]);
});

test("a project's rules hold for all of its runs, or for those that name them", async (t) => {
  const { got, url } = await receiver(t);
  const ground = await opened(t);
  const { notifications } = ground.control;
  await notifications.setRules(scope, [
    { ...rule(url, ["aborted", "failed"]), name: "all", isForAll: true },
    { ...rule(`${url}/named`), name: "oncall", isForAll: false },
  ]);
  await start(ground, "plain");
  await start(ground, "naming", [await notifications.namedRule(scope, "oncall")]);
  await ground.control.abortRun(scope, "plain", "enough");
  await ground.end("naming", "failed");
  await ground.lookAt(at(1));
  assert.deepEqual(
    [(await sent(ground, "plain")).length, (await sent(ground, "naming")).length, got.length],
    [1, 2, 3],
  );
  await assert.rejects(notifications.namedRule(scope, "nobody"), /no rule "nobody".*It has: all, oncall/);
  await notifications.setRules(scope, []);
  await start(ground, "later");
  await ground.end("later", "failed");
  assert.deepEqual(await sent(ground, "later"), []);
});

test("a receiver that refuses is tried again, later each time, under the same id, until it takes it", async (t) => {
  const { got, url } = await receiver(t, (call) => (call < 4 ? 503 : 200));
  const ground = await opened(t);
  await start(ground, "bad", [rule(url)]);
  await ground.end("bad", "failed");
  const calledAt: number[] = [];
  for (let second = 0; second < 300; second++) {
    const before = got.length;
    await ground.lookAt(startMs + second * 1_000);
    if (got.length > before) calledAt.push(second);
  }
  assert.equal(got.length, 4);
  const gaps = calledAt.slice(1).map((each, index) => each - (calledAt[index] as number));
  assert.ok(
    gaps.every((gap, index) => gap > (gaps[index - 1] ?? 0)),
    `${gaps}`,
  );
  assert.equal(new Set(got.map(({ headers }) => headers["webhook-id"])).size, 1);
  assert.equal(new Set(got.map(({ body }) => body)).size, 1);
  assert.deepEqual(
    got.map(({ headers }) => headers["webhook-attempt"]),
    ["1", "2", "3", "4"],
  );
  assert.partialDeepStrictEqual(await sent(ground, "bad"), [{ state: "delivered", tries: 4 }]);
});

test("a dead target is given up after its tries, shown as failed, and can be tried anew", async (t) => {
  const { got, url } = await receiver(t, (call) => (call <= maxTries ? 500 : 200));
  const ground = await opened(t);
  await start(ground, "bad", [rule(url)]);
  await ground.end("bad", "failed");
  for (let hour = 0; hour < 48 && got.length < maxTries; hour++) await ground.lookAt(startMs + hour * 3_600_000);
  assert.equal(got.length, maxTries);
  const [notice] = await sent(ground, "bad");
  assert.partialDeepStrictEqual(notice, { state: "failed", tries: maxTries, problem: "It answered 500: said" });
  await ground.control.notifications.retry(scope, { run: "bad", id: notice?.id ?? "" });
  await ground.lookAt(startMs + 50 * 3_600_000);
  assert.partialDeepStrictEqual(await sent(ground, "bad"), [{ state: "delivered" }]);
});

test("a receiver that does not answer keeps nobody else waiting", async (t) => {
  const { got, url } = await receiver(t);
  let dead = 0;
  let mostAtOnce = 0;
  const release = Promise.withResolvers<void>();
  const sending: SendNotice = async (call) => {
    if (call.request.url === url) return send(call);
    mostAtOnce = Math.max(mostAtOnce, ++dead);
    await release.promise;
    return { type: "refused", problem: "It did not answer in time.", isFinal: false };
  };
  const ground = await opened(t, sending);
  for (let n = 0; n < 30; n++) {
    await start(ground, `dead-${n}`, [rule("http://dead.example/")]);
    await ground.end(`dead-${n}`, "failed");
  }
  await start(ground, "bad", [rule(url)]);
  await ground.end("bad", "failed");
  ground.automation.start();
  while (got.length === 0) {
    await new Promise((done) => setImmediate(done));
    ground.clock.advance("100ms");
  }
  assert.ok(mostAtOnce <= 4, `${mostAtOnce} at once`);
  release.resolve();
  await ground.automation.stop();
});

test("several servers send each notification once", async (t) => {
  const { got, url } = await receiver(t);
  const store = await openSqliteStore({ path: ":memory:" });
  t.after(() => store.close());
  const grounds = [triggerGround({ store, send }), triggerGround({ store, send })] as const;
  for (let n = 0; n < 10; n++) {
    await start(grounds[0], `bad-${n}`, [rule(url)]);
    await grounds[0].end(`bad-${n}`, "failed");
  }
  for (const minute of [1, 2, 3, 4]) await Promise.all(grounds.map((ground) => ground.lookAt(at(minute))));
  assert.equal(got.length, 10);
});

for (const when of ["before", "after"] as const) {
  test(`killed ${when} any commit, a notification is sent all the same, always with its one id`, async (t) => {
    for (let crashAt = 0; ; crashAt++) {
      const { got, url } = await receiver(t);
      const store = await openSqliteStore({ path: ":memory:" });
      const crashing = crashingStore(store, { at: crashAt, when });
      const first = triggerGround({ store: crashing.store, send });
      const run = async (ground: Ground): Promise<void> => {
        await start(ground, "bad", [rule(url)]);
        await ground.end("bad", "failed");
        await ground.lookAt(at(1));
      };
      await run(first).catch(() => undefined);
      const next = triggerGround({ store, send });
      if (crashing.hasCrashed()) await run(next);
      await next.lookAt(at(10));
      assert.ok(got.length === 1 || got.length === 2, `${got.length} times after a crash at ${crashAt}`);
      assert.equal(new Set(got.map(({ headers }) => headers["webhook-id"])).size, 1);
      assert.partialDeepStrictEqual(await sent(next, "bad"), [{ state: "delivered" }]);
      await store.close();
      if (!crashing.hasCrashed()) return assert.ok(crashAt > 3);
    }
  });
}

test("templates are filled with what they name, and JSON stays JSON whatever it is filled with", async (t) => {
  const { got, url } = await receiver(t);
  const ground = await opened(t);
  const template = JSON.stringify({ text: 'Run {{.Run.Name}} {{.Phase}}: "{{.Error}}"', odd: "{{.Unknown}}" });
  await start(ground, "bad", [
    {
      phases: ["failed"],
      target: {
        url: `${url}?run={{.Run.Name}}`,
        method: "PUT",
        headers: { "x-run": "{{ .Run.Name }}" },
        body: template,
      },
    },
    rule(url, ["failed"], "plain {{.Run.Project}}/{{.Run.Domain}}"),
  ]);
  await ground.end("bad", "failed");
  await ground.lookAt(at(1));
  const bodies = got.map(({ body }) => body).sort();
  assert.deepEqual(bodies, [
    "plain p/d",
    JSON.stringify({ text: 'Run bad FAILED: "ValueError: no birds"', odd: "{{.Unknown}}" }),
  ]);
  assert.ok(got.some(({ headers }) => headers["x-run"] === "bad"));
  assert.ok(got.every(({ body }) => Buffer.byteLength(body) <= maxBodyBytes));
});

test("rules that cannot be kept are refused before anything is stored", async (t) => {
  const ground = await opened(t);
  const refused = (notify: NotificationRule, message: RegExp) =>
    assert.rejects(start(ground, "never", [notify]), (error: unknown) => {
      assert.equal((error as { code?: string }).code, "invalid_argument");
      return message.test((error as Error).message);
    });
  const good = rule("https://example.com/");
  await refused(rule("file:///etc/passwd"), /not the http or https address/);
  await refused(rule("https://me:secret@example.com/"), /no password/);
  await refused({ ...good, phases: [] }, /at least one phase/);
  await refused({ ...good, phases: ["running" as ToldPhase] }, /Nobody is notified of the phase "running"/);
  await refused({ ...good, target: { ...good.target, headers: { "Webhook-Signature": "x" } } }, /set by Godwit/);
  await refused({ ...good, target: { ...good.target, headers: { "a b": "x" } } }, /no name of a header/);
  await refused({ ...good, target: { ...good.target, body: "x".repeat(20_000) } }, /at most 16384 characters/);
  await assert.rejects(
    start(
      ground,
      "never",
      Array.from({ length: 21 }, () => good),
    ),
    /20 rules/,
  );
  assert.deepEqual(await ground.runs(), []);
  const twice = { ...good, name: "twice", isForAll: true };
  await assert.rejects(ground.control.notifications.setRules(scope, [twice, twice]), /Two rules .* "twice"/);
});
