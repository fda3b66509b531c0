// Pages of every listing: tokens that no listing gave, or another one did, and limits that are none.
import assert from "node:assert/strict";
import { before, type TestContext, test } from "node:test";
import { ask, startService, type TestService } from "./service.ts";
import { place, prepare, projectId, runId } from "./valid-requests.ts";

let service: TestService;

before(async (t) => {
  service = await startService(t as TestContext);
  await prepare(service);
});

type Page = { readonly limit: number; readonly token: string };

const listings: { readonly [method: string]: (page: Page) => unknown } = {
  "workflow.RunService/ListRuns": (request) => ({ projectId, request }),
  "workflow.RunService/ListActions": (request) => ({ runId, request }),
  "task.TaskService/ListTasks": (request) => ({ projectId, request }),
  "task.TaskService/ListVersions": (request) => ({ taskName: { ...place, name: "env.nap" }, request }),
  "trigger.TriggerService/ListTriggers": (request) => ({ projectId, request }),
  "trigger.TriggerService/GetTriggerRevisionHistory": (request) => ({
    name: { ...place, taskName: "env.nap", name: "tr" },
    request,
  }),
  "secret.SecretService/ListSecrets": (page) => ({ ...place, ...page }),
  "project.ProjectService/ListProjects": (page) => page,
};

const positions = [null, 7, "x", [], {}, [1], ["a"], [1, "a"], [null, null], { createdAtMs: "x", id: {} }, { name: 7 }];

test("a token that no listing gave is refused by all of them", async () => {
  const tokens = [
    "?",
    "bm90IGpzb24",
    ...positions.map((position) => Buffer.from(JSON.stringify(position)).toString("base64url")),
  ];
  for (const [method, request] of Object.entries(listings))
    for (const token of tokens) {
      const { code, message } = await ask(service.url, method, request({ limit: 1, token }));
      assert.deepEqual(
        [code, /token|page/i.test(message)],
        ["invalid_argument", true],
        `${method} ${token}: ${message}`,
      );
    }
  assert.deepEqual(service.bugs, []);
});

test("a page has at most a thousand rows, and less than none is refused", async () => {
  for (const [method, request] of Object.entries(listings)) {
    assert.equal((await ask(service.url, method, request({ limit: 2_147_483_647, token: "" }))).code, "ok", method);
    const { code } = await ask(service.url, method, request({ limit: -1, token: "" }));
    assert.equal(code, "invalid_argument", method);
  }
});
