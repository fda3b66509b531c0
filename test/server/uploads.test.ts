// Uploads by signed link, and paths that clients name: nothing is written or read outside of the storage, and what
// was not announced is not kept.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, type TestContext, test } from "node:test";
import { until } from "../project.ts";
import { type Answer, answerOf, ask, startService, type TestService } from "./service.ts";
import { actionId, napSpec, place, prepare, projectId, runId } from "./valid-requests.ts";

let service: TestService;
let storage: string;

before(async (t) => {
  service = await startService(t as TestContext, { maxUploadBytes: 1_000_000 });
  storage = join(service.dataDir, "storage");
  await prepare(service);
});

const md5 = (content: string): string => createHash("md5").update(content).digest("base64");

type Location = { readonly signedUrl: string; readonly nativeUrl: string };

const locate = (fields: object): Promise<Answer> =>
  ask(service.url, "dataproxy.DataProxyService/CreateUploadLocation", { ...place, filename: "a.txt", ...fields });

async function located(fields: object): Promise<Location> {
  const { code, message, body } = await locate(fields);
  assert.equal(code, "ok", message);
  return body as Location;
}

const put = async (url: string, content: string, headers: Record<string, string> = {}): Promise<Answer> =>
  answerOf(await fetch(url, { method: "PUT", body: content, headers }));

const escapes = [
  "..",
  "../a",
  "../../../../etc/passwd",
  "a/../../../b",
  "/etc/passwd",
  "a\0b",
  "x".repeat(5_000),
  `${"d/".repeat(600)}x`,
  ".",
  "a//b",
  "..\\..\\a",
];

test("names that lead elsewhere are refused wherever a client gives one", async () => {
  for (const name of escapes) {
    for (const fields of [{ filename: name }, { filenameRoot: name }]) {
      const { code, message } = await locate(fields);
      assert.equal(code, "invalid_argument", `${JSON.stringify(fields).slice(0, 80)}: ${message}`);
    }
    const scope = await ask(service.url, "dataproxy.DataProxyService/CreateUploadLocation", {
      project: name,
      domain: "development",
      filename: "a",
    });
    assert.match(scope.code, /^(not_found|invalid_argument)$/, scope.message);
  }
  const percent = await located({ filename: "%2e%2e%2fa.txt", contentMd5: md5("x") });
  assert.ok(percent.nativeUrl.startsWith(`${storage}/uploads/`), "percent signs mean themselves");
  assert.equal((await put(percent.signedUrl, "x")).code, "ok");
  assert.equal(readFileSync(percent.nativeUrl, "utf8"), "x");
});

test("an upload is what was announced, or it is not there", async () => {
  const { signedUrl, nativeUrl } = await located({ contentMd5: md5("right"), filenameRoot: "sums" });
  const wrong = await put(signedUrl, "wrong");
  assert.deepEqual([wrong.code, /MD5/.test(wrong.message)], ["invalid_argument", true], wrong.message);
  assert.equal(existsSync(nativeUrl), false);
  assert.equal((await put(signedUrl, "right", { "content-md5": md5("other") })).code, "invalid_argument");
  assert.equal((await put(signedUrl, "right")).code, "ok");
  const large = await located({ filenameRoot: "large" });
  const refused = await put(large.signedUrl, "x".repeat(1_000_001));
  assert.deepEqual([refused.status, refused.code], [413, "resource_exhausted"]);
  assert.equal(existsSync(large.nativeUrl), false);
  assert.equal((await locate({ contentMd5: Buffer.from("short").toString("base64") })).code, "invalid_argument");
});

test("a link that was altered, is over, or is of another verb is refused", async () => {
  const { signedUrl, nativeUrl } = await located({ contentMd5: md5("right"), filenameRoot: "links" });
  const altered = (change: (url: URL) => void): string => {
    const url = new URL(signedUrl);
    change(url);
    return url.href;
  };
  for (const url of [
    altered((each) => each.searchParams.set("expires", "99999999999")),
    altered((each) => each.searchParams.set("max", "1")),
    altered((each) => each.searchParams.delete("md5")),
    altered((each) => each.searchParams.set("signature", "")),
    altered((each) => each.searchParams.delete("signature")),
    altered((each) => {
      each.pathname = each.pathname.replace("a.txt", "b.txt");
    }),
  ]) {
    const { status, code } = await put(url, "right");
    assert.deepEqual([status, code], [403, "permission_denied"], url);
  }
  const over = await located({ filenameRoot: "over", expiresIn: "0s" });
  await until(async () => /request has expired/.test((await put(over.signedUrl, "x")).message), "the link is over");
  const read = await answerOf(await fetch(signedUrl.replace("/uploads/", "/downloads/")));
  assert.equal(read.code, "permission_denied");
  assert.equal(existsSync(nativeUrl), false);
  assert.equal((await locate({ expiresIn: "-5s" })).code, "invalid_argument");
});

const outside = (): readonly string[] => [
  "/etc/passwd",
  "file:///etc/passwd",
  join(service.dataDir, "godwit.db"),
  join(service.dataDir, "secrets.key"),
  `${storage}/../secrets.key`,
  `${storage}/uploads/../../secrets.key`,
  join(storage, "linked", "secrets.key"),
  `${storage}-other/x`,
  "s3://bucket/key",
  "relative/inputs.pb",
  "a\0b",
  storage,
];

test("inputs, children's inputs and outputs are read from the storage alone, links followed", async () => {
  symlinkSync(service.dataDir, join(storage, "linked"));
  for (const uri of outside()) {
    const create = await ask(service.url, "workflow.RunService/CreateRun", {
      projectId,
      taskSpec: napSpec(),
      offloadedInputData: { uri, inputsHash: "x" },
    });
    const enqueue = await ask(service.url, "actions.ActionsService/Enqueue", {
      action: {
        actionId: actionId("outside"),
        parentActionName: "a0",
        inputUri: uri,
        runOutputBase: uri,
        task: { spec: napSpec() },
      },
    });
    for (const { code, message } of [create, enqueue]) {
      assert.match(code, /^(invalid_argument|not_found)$/, `${uri}: ${message}`);
      assert.doesNotMatch(message, /EISDIR|ENOENT|root:/, uri);
    }
  }
  assert.deepEqual(service.bugs, []);
});

test("inputs that are no message, or do not fit the task, are refused before there is a run", async () => {
  const dir = join(storage, "inputs", place.project, place.domain, "garbage");
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "inputs.pb"), Buffer.from([0xff, 0xff, 0xff]));
  const offloaded = { runId: { ...runId, name: "garbage" }, taskSpec: napSpec(), offloadedInputData: { uri: dir } };
  const garbage = await ask(service.url, "workflow.RunService/CreateRun", offloaded);
  assert.deepEqual([garbage.code, /task\.Inputs/.test(garbage.message)], ["invalid_argument", true]);
  const other = { literals: [{ name: "other", value: { scalar: { primitive: { integer: "1" } } } }] };
  const unknown = { runId: { ...runId, name: "garbage" }, taskSpec: napSpec(), inputs: other };
  assert.match((await ask(service.url, "workflow.RunService/CreateRun", unknown)).message, /no input "other"/);
  const missing = { ...unknown, inputs: {} };
  assert.match(
    (await ask(service.url, "workflow.RunService/CreateRun", missing)).message,
    /lacks its input "duration"/,
  );
  assert.equal(
    (await ask(service.url, "workflow.RunService/GetRunDetails", { runId: unknown.runId })).code,
    "not_found",
  );
});
