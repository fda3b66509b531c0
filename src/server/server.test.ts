// One port that speaks everything, over real sockets.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import { until } from "../testing/until.ts";
import { clientOf, helloLines, protocols, serve, textsOf } from "./calls.fixture.ts";
import { defaultLimits, type Server, silentLog } from "./server.ts";

let server: Server;
before(async () => {
  server = await serve(helloLines, { limits: { ...defaultLimits, maxMessageBytes: 1_000_000 } });
});
after(() => server.close(0));

const getProject = "/flyteidl2.project.ProjectService/GetProject";
const post = (
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
  path = getProject,
): Promise<Response> =>
  fetch(server.url + path, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });

for (const protocol of protocols) {
  test(`${protocol} is answered`, async () => {
    const { projects, logs } = clientOf(server, protocol);
    assert.equal((await projects.getProject({ id: "flytesnacks" })).project?.id, "flytesnacks");
    assert.deepEqual(await textsOf(logs.tailLogs({})), ["one", "two"]);
  });

  test(`${protocol} gets words that fit in a header, however many there are`, async () => {
    const { projects } = clientOf(server, protocol);
    await assert.rejects(projects.getProject({ id: "wordy" }), (error) => {
      assert.ok(error instanceof ConnectError && error.code === Code.NotFound);
      assert.match(error.rawMessage, /^x(🦢)+\ufffd? … \ufffd?(🦢)+$/u);
      return true;
    });
  });

  test(`${protocol} gets an error with its code and its words`, async () => {
    const { projects } = clientOf(server, protocol);
    await assert.rejects(projects.getProject({ id: "missing" }), (error) => {
      assert.ok(error instanceof ConnectError);
      assert.equal(error.code, Code.NotFound);
      assert.equal(error.rawMessage, "There is no project missing.");
      return true;
    });
  });
}

test("what is our own fault is internal, and tells nobody how it is made", async () => {
  const response = await post('{"id":"broken"}');
  assert.equal(response.status, 500);
  const { code, message } = (await response.json()) as { readonly code: string; readonly message: string };
  assert.equal(code, "internal");
  assert.doesNotMatch(message, /function/);
});

test("curl needs nothing but a path and JSON", async () => {
  const response = await post('{"id":"flytesnacks"}');
  assert.deepEqual(await response.json(), { project: { id: "flytesnacks", name: "flytesnacks" } });
});

test("a request that is packed is unpacked, and one that says so falsely is refused", async () => {
  const packed = await post(gzipSync('{"id":"flytesnacks"}'), { "content-encoding": "gzip" });
  assert.equal(packed.status, 200);
  const false_ = await post('{"id":"flytesnacks"}', { "content-encoding": "gzip" });
  assert.equal(((await false_.json()) as { readonly code: string }).code, "invalid_argument");
  const unknown = await post("…", { "content-encoding": "zstd" });
  assert.equal(((await unknown.json()) as { readonly code: string }).code, "unimplemented");
});

test("a message over the bound is refused in words, packed or not, and the server goes on", async () => {
  const large = JSON.stringify({ id: "x".repeat(2_000_000) });
  for (const [body, headers] of [
    [large, {}],
    [gzipSync(large), { "content-encoding": "gzip" }],
  ] as const) {
    const response = await post(body, headers);
    assert.equal(response.status, 429);
    const { code, message } = (await response.json()) as { readonly code: string; readonly message: string };
    assert.equal(code, "resource_exhausted");
    assert.match(message, /1000000/);
  }
  assert.equal((await post('{"id":"x"}')).status, 200);
});

test("a body that is no message is the caller's mistake", async () => {
  for (const body of ["{", '{"id":7}', "[]", "null"]) {
    const response = await post(body);
    assert.equal(((await response.json()) as { readonly code: string }).code, "invalid_argument", body);
  }
  const odd = Buffer.from([0xff, 0xff, 0xff]);
  const bytes = await post(odd, { "content-type": "application/proto" });
  assert.equal(((await bytes.json()) as { readonly code: string }).code, "invalid_argument");
  const cut = await post(gzipSync('{"id":"flytesnacks"}').subarray(0, 20), { "content-encoding": "gzip" });
  assert.equal(((await cut.json()) as { readonly code: string }).code, "invalid_argument");
  const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, 3]), odd]);
  const web = await post(envelope, { "content-type": "application/grpc-web+proto" });
  assert.match(await web.text(), /grpc-status: 3/);
  const tailLogs = "/flyteidl2.workflow.RunLogsService/TailLogs";
  const stream = await post(envelope, { "content-type": "application/connect+proto" }, tailLogs);
  assert.match(await stream.text(), /"code":"invalid_argument"/);
});

test("services and methods that are not there are unimplemented, by name", async () => {
  for (const path of ["/flyteidl2.project.ProjectService/Nothing", "/some.other.Service/Get"]) {
    const response = await post("{}", {}, path);
    assert.equal(response.status, 501);
    const { code, message } = (await response.json()) as { readonly code: string; readonly message: string };
    assert.equal(code, "unimplemented");
    assert.match(message, /Nothing|some\.other\.Service/);
  }
  const stream = await post(Buffer.alloc(0), { "content-type": "application/connect+json" }, "/some.other.Service/Get");
  const bytes = Buffer.from(await stream.arrayBuffer());
  assert.equal(bytes[0], 2);
  assert.match(bytes.subarray(5).toString(), /"code":"unimplemented"/);
  const grpc = await post(Buffer.alloc(0), { "content-type": "application/grpc-web+proto" }, "/some.other.Service/Get");
  assert.match(await grpc.text(), /grpc-status: 12/);
});

test("health and readiness answer plainly", async () => {
  assert.equal(await (await fetch(`${server.url}/healthz`)).text(), "ok\n");
  assert.equal((await fetch(`${server.url}/readyz`)).status, 200);
  const unready = await serve(helloLines, { readiness: async () => "The database is on fire." });
  const response = await fetch(`${unready.url}/readyz`);
  assert.equal(response.status, 503);
  assert.match(await response.text(), /on fire/);
  await unready.close(0);
});

test("a call that names no host, or what is none, is answered or refused, and the server goes on", async () => {
  const keyed = await serve(helloLines, { hosts: null });
  const ofLoopback = await serve(helloLines, { hosts: ["127.0.0.1"] });
  for (const { port, url } of [keyed, ofLoopback]) {
    for (const head of [
      "HTTP/1.0",
      "HTTP/1.1\r\nHost: ]",
      "HTTP/1.1\r\nHost: a b",
      "HTTP/1.1\r\nHost: localhost:99999999",
    ]) {
      const socket = connect(port, "127.0.0.1");
      socket.write(`POST ${getProject} ${head}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n`);
      socket.write("Connection: close\r\n\r\n{}");
      assert.match(
        await text(socket),
        /^HTTP\/1\.1 (200|40[03]) .*("code":"permission_denied","message":"|project)/s,
        head,
      );
    }
    const health = connect(port, "127.0.0.1");
    health.write("GET /healthz HTTP/1.0\r\n\r\n");
    assert.match(await text(health), /^HTTP\/1\.1 200 /, "balancers ask so");
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
  }
  await keyed.close(0);
  await ofLoopback.close(0);
});

test("what is not HTTP is told so, and let go", async () => {
  const socket = connect(server.port, "127.0.0.1");
  socket.end("EHLO example.org\r\n\r\n");
  assert.match(await text(socket), /^HTTP\/1\.1 400 .*"code":"invalid_argument"/s);
});

test("a body that breaks off leaves the server well, and is nobody's mistake but the client's", async (t) => {
  const bugs: unknown[] = [];
  const own = await serve(helloLines, {
    log: { ...silentLog, error: (fields) => void bugs.push(fields) },
  });
  t.after(() => own.close(0));
  const tailLogs = "/flyteidl2.workflow.RunLogsService/TailLogs";
  for (const [path, type] of [
    [getProject, "json"],
    [getProject, "proto"],
    [tailLogs, "connect+proto"],
  ] as const) {
    const socket = connect(own.port, "127.0.0.1");
    const head = `POST ${path} HTTP/1.1\r\nHost: x.localhost\r\nContent-Type: application/${type}\r\nContent-Length: 100\r\n\r\n`;
    // The head of an envelope, or the beginning of anything else.
    socket.write(Buffer.concat([Buffer.from(head), Buffer.from([0, 0, 0, 0, 95])]));
    await until("it is under way", () => own.calls() === 1);
    socket.destroy();
    await until("it is over", () => own.calls() === 0);
  }
  assert.deepEqual(bugs, []);
  assert.equal((await fetch(`${own.url}/readyz`)).status, 200);
});
