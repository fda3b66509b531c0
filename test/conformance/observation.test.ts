// Runs that a client of Flyte's looks at and ends while they go on, and runs of many calls.
import assert from "node:assert/strict";
import { test } from "node:test";
import { flyteServer } from "./server.ts";

test("logs, reports and code of a run are there; what is aborted or given up is gone, its processes too", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const { run, ...seen } = (await server.program("observed.py", "observe")) as Record<string, unknown>;
  assert.deepEqual(seen, {
    logs: [" line 0\n", " line 1\n", " line 2\n"],
    report: true,
    code: ["observed.py"],
    transitions: ["ActionPhase.QUEUED", "ActionPhase.RUNNING", "ActionPhase.SUCCEEDED"],
    aborted: ["ActionPhase.ABORTED", "ActionPhase.ABORTED", true],
    "abort info": "no longer needed",
    followed: [" holding on\n"],
    "action aborted": ["ActionPhase.SUCCEEDED", "ActionAbortedError", true],
    "given up": ["ActionPhase.SUCCEEDED", "timed out", true],
    "given up phases": { "observed.races": "ActionPhase.SUCCEEDED", "observed.endless": "ActionPhase.ABORTED" },
  });
  // On the server's own machine the client would get it without asking.
  const runId = { project: "flytesnacks", domain: "development", name: run };
  const answer = await fetch(`http://${server.endpoint}/flyteidl2.dataproxy.DataProxyService/CreateDownloadLink`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      artifactType: "ARTIFACT_TYPE_CODE_BUNDLE",
      actionAttemptId: { actionId: { run: runId, name: "a0" }, attempt: 1 },
    }),
  });
  const { preSignedUrls } = (await answer.json()) as { readonly preSignedUrls: { readonly signedUrl: [string] } };
  const archive = new Uint8Array(await (await fetch(preSignedUrls.signedUrl[0])).arrayBuffer());
  assert.deepEqual([...archive.subarray(0, 2)], [0x1f, 0x8b]);
});

test("a task waits for a thousand sleeps at once, and one maps over fifty calls", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  const seen = (await server.program("observed.py", "fan", "1000", "50")) as Record<string, unknown>;
  assert.deepEqual(seen.sleeps, ["ActionPhase.SUCCEEDED", 1000]);
  assert.deepEqual(seen.counted, [1001, 1001]);
  assert.deepEqual([seen["newest first"], seen["of its version"]], [true, true]);
  assert.deepEqual(seen.mapped, ["ActionPhase.SUCCEEDED", 1225]);
});

test("the end of a run is told to the webhooks that its client has named", async (t) => {
  const server = await flyteServer(t);
  if (server === null) return;
  assert.deepEqual(await server.program("notified.py"), {
    well: {
      "/slack": { text: "told-well: SUCCEEDED" },
      "/teams": { title: "flytesnacks", text: "" },
      "/hook": { run: "told-well", domain: "development" },
    },
    badly: {
      "/slack": { text: "told-badly: FAILED" },
      "/teams": { title: "flytesnacks", text: "ValueError: -1 is negative" },
      "/hook": { run: "told-badly", domain: "development" },
    },
  });
});
