// What comes while the server still loads what answers calls.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import type { ConnectRouter } from "@connectrpc/connect";
import { until } from "../testing/until.ts";
import { ProjectService, serve } from "./calls.fixture.ts";
import { defaultLimits, type Log, type ServerOptions, silentLog } from "./server.ts";

const routes = (router: ConnectRouter): void => {
  router.service(ProjectService, { getProject: ({ id }) => ({ project: { id } }) });
};

/** A server whose services are there once `loaded` is resolved. */
async function starting(t: TestContext, options: Partial<ServerOptions> = {}) {
  const loaded = Promise.withResolvers<typeof routes>();
  const server = await serve(undefined, { routes: () => loaded.promise, ...options });
  t.after(() => server.close(0));
  const call = (id: string, signal: AbortSignal | null = null): Promise<Response> =>
    fetch(`${server.url}/flyteidl2.project.ProjectService/GetProject`, {
      method: "POST",
      body: JSON.stringify({ id }),
      headers: { "content-type": "application/json" },
      signal,
    });
  return { server, loaded, call };
}

const codeOf = async (response: Response): Promise<unknown> =>
  ((await response.json()) as { readonly code: unknown }).code;

test("a call that comes before its service is loaded waits and is answered", async (t) => {
  const { server, loaded, call } = await starting(t);
  const calls = [call("one"), call("two")];
  await until("both wait", () => server.calls() === 2);
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
  loaded.resolve(routes);
  for (const [at, id] of ["one", "two"].entries())
    assert.deepEqual(await (await calls[at])?.json(), { project: { id } });
});

test("/readyz answers when calls can be answered", async (t) => {
  const { server, loaded } = await starting(t);
  let isAnswered = false;
  const ready = fetch(`${server.url}/readyz`).then((response) => {
    isAnswered = true;
    return response.status;
  });
  assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
  assert.equal(isAnswered, false);
  loaded.resolve(routes);
  assert.equal(await ready, 200);
});

test("what cannot be loaded is told to the log, to who waits and by /readyz, and is tried again", async (t) => {
  const problems: string[] = [];
  const log: Log = { ...silentLog, error: ({ error }) => problems.push((error as Error).message) };
  let tries = 0;
  const load = async () => {
    tries++;
    if (tries < 3) throw new Error("no such file");
    return routes;
  };
  const { server, call } = await starting(t, { routes: load, log });
  const refused = await call("one");
  assert.equal(refused.status, 500);
  assert.equal(await codeOf(refused), "internal");
  const unready = await fetch(`${server.url}/readyz`);
  assert.equal(unready.status, 503);
  assert.match(await unready.text(), /could not be loaded/);
  assert.deepEqual(problems, ["no such file", "no such file"]);
  assert.equal((await call("one")).status, 200);
});

test("a server that ends while it loads tells who waits, and ends when they have been told", async (t) => {
  const { server, loaded, call } = await starting(t);
  const waiting = call("one");
  await until("it waits", () => server.calls() === 1);
  const closed = server.close(5_000);
  loaded.resolve(routes);
  const response = await waiting;
  assert.equal(response.status, 503);
  assert.equal(await codeOf(response), "unavailable");
  await closed;
});

test("a server that never comes to load ends within its bound", async (t) => {
  const { server, call } = await starting(t);
  const waiting = assert.rejects(call("one"));
  await until("it waits", () => server.calls() === 1);
  await server.close(10);
  await waiting;
});

test("more calls than the bound are refused while others wait", async (t) => {
  const { server, loaded, call } = await starting(t, { limits: { ...defaultLimits, maxCalls: 1 } });
  const waiting = call("one");
  await until("it waits", () => server.calls() === 1);
  assert.equal(await codeOf(await call("two")), "resource_exhausted");
  loaded.resolve(routes);
  assert.equal((await waiting).status, 200);
});

test("a caller that has gone before the service is loaded is not served", async (t) => {
  const served: string[] = [];
  const { server, loaded, call } = await starting(t);
  const leaving = new AbortController();
  const gone = assert.rejects(call("gone", leaving.signal));
  await until("it waits", () => server.calls() === 1);
  leaving.abort();
  await gone;
  await until("its connection has ended", () => server.connections() === 0);
  loaded.resolve((router) => {
    router.service(ProjectService, {
      getProject: ({ id }) => {
        served.push(id);
        return { project: { id } };
      },
    });
  });
  assert.equal((await call("here")).status, 200);
  assert.deepEqual(served, ["here"]);
  await until("none is under way", () => server.calls() === 0);
});

test("what looks like a call and is none is refused as before, once that is known", async (t) => {
  const { server, loaded } = await starting(t);
  const socket = connect(server.port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.write("GET /no.such.Service/Call HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  await until("it waits", () => server.calls() === 1);
  loaded.resolve(routes);
  assert.match(await text(socket), /^HTTP\/1.1 404 [\s\S]*not_found/);
});
