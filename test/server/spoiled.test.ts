// Requests that are nearly right: each method's own, with something in them that does not belong there. They come
// further than garbage does.
//
//   GODWIT_SPOILED=seed:rounds    more of them: GODWIT_SPOILED=17:300
import assert from "node:assert/strict";
import { before, type TestContext, test } from "node:test";
import { type DescMethod, fromJson, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { DeployTaskRequest } from "#idl/flyteidl2/task/task_service_pb.js";
import { allMethods, assertFitting, type Format, numbersFrom, send } from "./methods.ts";
import { startService, type TestService } from "./service.ts";
import { spoiled } from "./spoiled.ts";
import { napSpec, place, prepare, type Request } from "./valid-requests.ts";

let service: TestService;
let methods: ReadonlyMap<string, DescMethod>;
let requests: readonly Request[];

before(async (t) => {
  service = await startService(t as TestContext);
  methods = await allMethods();
  requests = await prepare(service);
});

const methodOf = (name: string): DescMethod => methods.get(`flyteidl2.${name}`) as DescMethod;

test("the requests as they are are taken, so that what is spoiled in them is all that is wrong", async () => {
  for (const [name, request] of requests) {
    const method = methodOf(name);
    const { code, message } = await send(service.url, method, Buffer.from(JSON.stringify(request)), "json");
    // Some of it is there by now; watches end when their time is over.
    assert.match(code, /^(ok|already_exists|deadline_exceeded|unavailable|not_found)$/, `${name}: ${message}`);
  }
});

test("with something spoiled in it, every request gets a code that fits, and nothing that was our fault", async (t) => {
  const [seed = 5, rounds = 4] = (process.env.GODWIT_SPOILED ?? "").split(":").filter(Boolean).map(Number);
  const number = numbersFrom(seed);
  const codes = new Map<string, number>();
  for (let round = 0; round < rounds; round++)
    await Promise.all(
      requests.map(async ([name, request]) => {
        const method = methodOf(name);
        const sent = encoded(method, request, number);
        if (sent === null) return;
        const told = await send(service.url, method, sent.body, sent.format);
        codes.set(told.code, (codes.get(told.code) ?? 0) + 1);
        const shown = sent.format === "json" ? sent.body.toString() : sent.body.toString("base64");
        assertFitting(told, `${name} ${shown.slice(0, 3_000)}`);
      }),
    );
  t.diagnostic([...codes].map(([code, count]) => `${code} ${count}`).join(", "));
  assert.equal((await fetch(`${service.url}/readyz`)).status, 200);
  assert.deepEqual(service.bugs, []);
});

test("what JSON has no words for is refused in JSON, and told in protobuf", async () => {
  const deploy = methodOf("task.TaskService/DeployTask");
  const taskId = { ...place, name: "env.wordless", version: "v1" };
  const message = fromJson(deploy.input, { taskId, spec: napSpec("env.wordless") }) as DeployTaskRequest;
  const template = message.spec?.taskTemplate;
  if (template !== undefined) template.custom = { number: Number.NaN };
  const deployed = await send(service.url, deploy, Buffer.from(toBinary(deploy.input, message)), "proto");
  assert.equal(deployed.code, "ok", deployed.message);
  const get = methodOf("task.TaskService/GetTaskDetails");
  const asked = fromJson(get.input, { taskId });
  assert.equal((await send(service.url, get, Buffer.from(toBinary(get.input, asked)), "proto")).code, "ok");
  const refused = await send(service.url, get, Buffer.from(JSON.stringify({ taskId })), "json");
  assert.equal(refused.code, "failed_precondition");
  assert.match(refused.message, /JSON has no words for.*application\/proto/);
});

type Sent = { readonly body: Buffer; readonly format: Format };

/** Null: it cannot even be written down. */
function encoded(method: DescMethod, request: Request[1], number: () => number): Sent | null {
  const message = spoiled(fromJson(method.input, request), number);
  const isJson = number() < 0.3;
  const isCut = number() < 0.03;
  try {
    const body = isJson
      ? Buffer.from(toJsonString(method.input, message))
      : Buffer.from(toBinary(method.input, message));
    return { body: isCut ? body.subarray(0, body.length / 2) : body, format: isJson ? "json" : "proto" };
  } catch {
    // What is spoiled is checked by the library as well.
    return null;
  }
}
