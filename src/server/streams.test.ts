// Streams: many, slow readers, readers that go away, and the end of the server.
import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { until } from "../testing/until.ts";
import { clientOf, type Lines, ProjectService, protocols, serve, textsOf } from "./calls.fixture.ts";
import { certificate } from "./certificate.fixture.ts";
import { openPort } from "./port.ts";
import { defaultLimits, type Server } from "./server.ts";

const tailLogs = "/flyteidl2.workflow.RunLogsService/TailLogs";
const emptyEnvelope = Buffer.from([0, 0, 0, 0, 0]);

/** Asks for a stream over HTTP/1.1 and reads nothing of it. */
function openStream(t: TestContext, server: Server): Socket {
  const socket = connect(server.port, "127.0.0.1");
  socket.pause();
  socket.on("error", () => {});
  t.after(() => socket.destroy());
  socket.write(
    `POST ${tailLogs} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/connect+proto\r\nContent-Length: 5\r\n\r\n`,
  );
  socket.write(emptyEnvelope);
  return socket;
}

/** Says "ready", then nothing until it is called off. */
const silent: Lines = async function* (signal) {
  yield "ready";
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
};

async function started(t: TestContext, ...args: Parameters<typeof serve>): Promise<Server> {
  const server = await serve(...args);
  t.after(() => server.close(0));
  return server;
}

test("a thousand streams are open at once on HTTP/1.1 and two hundred on one h2c connection, and calls go on", async (t) => {
  const server = await started(t, silent);
  const sockets = Array.from({ length: 1_000 }, () => openStream(t, server));
  const session = connectHttp2(server.url);
  t.after(() => session.destroy());
  for (let at = 0; at < 200; at++) {
    const stream = session.request({
      ":method": "POST",
      ":path": tailLogs,
      "content-type": "application/connect+proto",
    });
    stream.on("error", () => {});
    stream.end(emptyEnvelope);
  }
  await until("all are open", () => server.calls() === 1_200, 30_000);
  const { projects } = clientOf(server);
  assert.equal((await projects.getProject({ id: "x" })).project?.id, "x");
  for (const socket of sockets) socket.destroy();
  session.destroy();
  await until("all have ended", () => server.calls() === 0, 30_000);
});

const messageBytes = 64 * 1024;

/** Without end, as fast as anybody reads; counts what was asked for, and tells when it ended. */
function endless(): { readonly lines: Lines; readonly seen: { asked: number; ended: number } } {
  const seen = { asked: 0, ended: 0 };
  const message = "x".repeat(messageBytes);
  const lines: Lines = async function* () {
    try {
      for (;;) {
        seen.asked++;
        yield message;
      }
    } finally {
      seen.ended++;
    }
  };
  return { lines, seen };
}

/** Resolves once no more is asked for. */
async function settled(seen: { readonly asked: number }): Promise<number> {
  let before = -1;
  await until("the source stands still", async () => {
    const isStill = seen.asked === before;
    before = seen.asked;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return isStill && before > 0;
  });
  return before;
}

test("a reader that does not read stops its source, and ends it by going away: HTTP/1.1", async (t) => {
  const { lines, seen } = endless();
  const server = await started(t, lines);
  const socket = openStream(t, server);
  // What the system's buffers on both sides take, which a megabyte is far more than Godwit adds to.
  assert.ok((await settled(seen)) * messageBytes < 16 * 1024 * 1024, `${seen.asked} messages were asked for`);
  socket.destroy();
  await until("its source has ended", () => seen.ended === 1);
  await until("the call is over", () => server.calls() === 0);
});

test("a reader that does not read stops its source, and ends it by going away: h2c", async (t) => {
  const { lines, seen } = endless();
  const server = await started(t, lines);
  const session = connectHttp2(server.url);
  t.after(() => session.destroy());
  const stream = session.request({ ":method": "POST", ":path": tailLogs, "content-type": "application/connect+proto" });
  stream.on("error", () => {});
  stream.pause();
  stream.end(emptyEnvelope);
  assert.ok((await settled(seen)) * messageBytes < 4 * 1024 * 1024, `${seen.asked} messages were asked for`);
  stream.destroy();
  await until("its source has ended", () => seen.ended === 1);
  await until("the call is over", () => server.calls() === 0);
});

test("each message goes out when it is there", async (t) => {
  const next = Promise.withResolvers<void>();
  const server = await started(t, async function* () {
    yield "first";
    await next.promise;
    yield "second";
  });
  for (const protocol of ["connect over HTTP/1.1", "grpc"] as const) {
    const stream = clientOf(server, protocol).logs.tailLogs({})[Symbol.asyncIterator]();
    const { value } = await stream.next();
    assert.equal(value?.logs[0]?.lines[0]?.message, "first");
    next.resolve();
    assert.equal((await stream.next()).value?.logs[0]?.lines[0]?.message, "second");
    await stream.return?.();
  }
});

test("when the server ends, streams end with unavailable in every protocol, and calls finish first", async () => {
  for (const protocol of protocols) {
    const slow = Promise.withResolvers<void>();
    const server = await serve(silent, {
      interceptors: [
        (next) => async (request) => {
          if (request.service.typeName === ProjectService.typeName) await slow.promise;
          return next(request);
        },
      ],
    });
    const { logs, projects } = clientOf(server, protocol);
    const stream = textsOf(logs.tailLogs({}));
    const call = projects.getProject({ id: "finishes" });
    await until("both are under way", () => server.calls() === 2);
    const closed = server.close(20_000);
    await assert.rejects(stream, (error) => error instanceof ConnectError && error.code === Code.Unavailable, protocol);
    slow.resolve();
    assert.equal((await call).project?.id, "finishes", protocol);
    await closed;
    await assert.rejects(projects.getProject({ id: "late" }), protocol);
  }
});

test("a call that does not finish in time is cut off with unavailable", async () => {
  const server = await serve(silent, { interceptors: [() => () => new Promise(() => {})] });
  const call = clientOf(server).projects.getProject({ id: "never" });
  await until("it is under way", () => server.calls() === 1);
  const failed = assert.rejects(call, (error) => error instanceof ConnectError && error.code === Code.Unavailable);
  await server.close(50);
  await failed;
});

test("over the bound, calls and connections are refused in words", async (t) => {
  const server = await started(t, silent, { limits: { ...defaultLimits, maxCalls: 2, maxConnections: 3 } });
  openStream(t, server);
  openStream(t, server);
  await until("both are open", () => server.calls() === 2);
  const ask = () =>
    fetch(`${server.url}/flyteidl2.project.ProjectService/GetProject`, {
      method: "POST",
      headers: { "content-type": "application/json", connection: "close" },
      body: "{}",
    });
  const refused = await ask();
  assert.deepEqual(
    [refused.status, ((await refused.json()) as { readonly code: string }).code],
    [429, "resource_exhausted"],
  );
  await until("that one has gone", () => server.connections() === 2);
  const idle = connect(server.port, "127.0.0.1");
  t.after(() => idle.destroy());
  idle.write("GET");
  await until("the third is there", () => server.connections() === 3);
  const fourth = connect(server.port, "127.0.0.1");
  fourth.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(await text(fourth), /^HTTP\/1\.1 429 .*"code":"resource_exhausted".*3 connections/s);
});

test("whoever is slow to say what it wants is let go", async (t) => {
  const port = await openPort({
    host: "127.0.0.1",
    port: 0,
    certificate: null,
    maxConnections: 10,
    maxStreams: 10,
    headMs: 200,
    onRequest: (_request, response) => void response.end(),
  });
  t.after(() => port.destroy());
  t.after(() => port.stopAccepting());
  const open = (): Socket => connect(port.port, "127.0.0.1");
  assert.equal(await text(open()), "", "nothing said at all");
  const preface = open();
  preface.write("PRI * HT");
  assert.equal(await text(preface), "", "half of HTTP/2");
  const head = open();
  head.write("GET / HTTP/1.1\r\nHost: x\r\n");
  assert.match(await text(head), /^HTTP\/1\.1 408 /, "half a head");
});

test("with a certificate, HTTP/1.1 and HTTP/2 come over TLS, and links lead back there", async (t) => {
  const hosts: (string | null)[] = [];
  const server = await started(t, silent, {
    certificate,
    interceptors: [
      (next) => (request) => {
        hosts.push(`${request.header.get("x-forwarded-proto")} ${request.header.get("host")}`);
        return next(request);
      },
    ],
  });
  assert.equal(server.url, `https://localhost:${server.port}`);
  for (const httpVersion of ["1.1", "2"] as const) {
    const nodeOptions = { ca: certificate.cert };
    const projects = createClient(
      ProjectService,
      createConnectTransport({ baseUrl: server.url, httpVersion, nodeOptions }),
    );
    assert.equal((await projects.getProject({ id: "x" })).project?.id, "x");
  }
  assert.deepEqual(hosts, Array(2).fill(`https localhost:${server.port}`));
});
