// Whatever is sent to whichever method: an answer in the caller's protocol, a code that fits, words that help, and a
// server that goes on.
import assert from "node:assert/strict";
import { before, type TestContext, test } from "node:test";
import { create, type DescMethod, toBinary } from "@bufbuild/protobuf";
import { allMethods, assertFitting, numbersFrom, send } from "./methods.ts";
import { startService, type TestService } from "./service.ts";

let service: TestService;
let methods: ReadonlyMap<string, DescMethod>;
const unimplemented = new Set<DescMethod>();

before(async (t) => {
  service = await startService(t as TestContext);
  methods = await allMethods();
});

const isAlive = async (): Promise<boolean> => (await fetch(`${service.url}/readyz`)).status === 200;

/** What answers without being told anything. */
const needNothing = [
  "flyteidl2.secret.SecretService/ListSecrets",
  "flyteidl2.project.ProjectService/ListProjects",
  "flyteidl2.cluster.ClusterService/SelectCluster",
  "flyteidl2.auth.AuthMetadataService/GetOAuth2Metadata",
  "flyteidl2.auth.AuthMetadataService/GetPublicClientConfig",
  "flyteidl2.auth.IdentityService/UserInfo",
];

test("an empty request is told what it lacks, by every method, in protobuf and in JSON alike", async () => {
  for (const [path, method] of methods) {
    const told = await send(service.url, method, toBinary(method.input, create(method.input)), "proto");
    assertFitting(told, path);
    if (told.code === "unimplemented") unimplemented.add(method);
    if (needNothing.includes(path)) assert.equal(told.code, "ok", path);
    else assert.match(told.code, /^(invalid_argument|unimplemented)$/, `${path}: ${told.message}`);
    assert.deepEqual(await send(service.url, method, Buffer.from("{}"), "json"), told, path);
  }
});

test("bytes that are no message are refused by every method, and the server goes on", async () => {
  const number = numbersFrom(4);
  const rows = Array.from({ length: 6 }, () =>
    Uint8Array.from({ length: 1 + Math.floor(number() * 60) }, () => Math.floor(number() * 256)),
  );
  const offered = [...methods].filter(([, method]) => !unimplemented.has(method));
  assert.ok(offered.length > 50, `${offered.length} methods`);
  await Promise.all(offered.map(([path, method]) => refuseAll(path, method, rows)));
  assert.ok(await isAlive());
  assert.deepEqual(service.bugs, []);
});

async function refuseAll(path: string, method: DescMethod, rows: readonly Uint8Array[]): Promise<void> {
  for (const bytes of rows)
    for (const format of ["proto", "json"] as const)
      assertFitting(await send(service.url, method, bytes, format), `${path} ${Buffer.from(bytes).toString("hex")}`);
  for (const json of ["", "{", "[]", "null", "7", '"x"', '{"nothing":1}', '{"": null}', '{"project":{"a":[]}}']) {
    const told = await send(service.url, method, Buffer.from(json), "json");
    assertFitting(told, `${path} ${json}`);
    assert.ok(told.code !== "ok" || needNothing.includes(path), `${path} takes ${json}`);
  }
}

test("content types, verbs and paths that are none of a call's are answered in words", async () => {
  const path = "/flyteidl2.project.ProjectService/GetProject";
  const odd: readonly (readonly [string, RequestInit])[] = [
    [path, { method: "POST", body: "x", headers: { "content-type": "text/plain" } }],
    [path, { method: "POST", body: "x", headers: { "content-type": "application/x-www-form-urlencoded" } }],
    [path, { method: "POST", body: "{}", headers: { "content-type": "application/json; charset=utf-16" } }],
    [path, { method: "POST", body: "{}", headers: { "content-type": "application/grpc+thrift" } }],
    [path, { method: "POST", body: "{}", headers: { "content-type": "application/connect+json" } }],
    [path, { method: "PUT", body: "{}", headers: { "content-type": "application/json" } }],
    [path, { method: "GET" }],
    [path, { method: "DELETE" }],
    [`${path}/x`, { method: "POST", body: "{}" }],
    ["/flyteidl2.project.ProjectService", { method: "POST", body: "{}" }],
    ["//", { method: "POST", body: "{}" }],
    ["/%00", { method: "GET" }],
    ["/..%2f..%2fetc%2fpasswd", { method: "GET" }],
    [`/${"x".repeat(8_000)}`, { method: "GET" }],
  ];
  for (const [place, init] of odd) {
    // Of a stream or of gRPC the status is not HTTP's.
    const isOfHttp = !/connect\+|grpc/.test(JSON.stringify(init.headers ?? ""));
    const response = await fetch(service.url + place, init);
    const answer = await response.text();
    if (!isOfHttp) continue;
    assert.ok(
      response.status >= 400 && response.status < 502,
      `${init.method} ${place.slice(0, 80)} ${response.status}`,
    );
    assert.match(answer, /"code":"(invalid_argument|not_found|unimplemented)","message":"[^"]/, place);
  }
  assert.ok(await isAlive());
  assert.deepEqual(service.bugs, []);
});
