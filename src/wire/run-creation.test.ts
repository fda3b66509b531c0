// Runs that clients of the protocol start, by names of their own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { TaskSpecSchema } from "#idl/flyteidl2/task/task_definition_pb.js";
import { RunService } from "#idl/flyteidl2/workflow/run_service_pb.js";
import { runService } from "./run-service.ts";
import { served } from "./wire.fixture.ts";

const runId = { project: "default", domain: "development", name: "nightly" };

test("a call that is repeated has the run that it started; another call under its name is refused", async (t) => {
  const { transport } = await served(t, runService);
  const runs = createClient(RunService, transport);
  const start = async (requestId: string | null) => {
    const value = create(TaskSpecSchema, {
      taskTemplate: {
        id: { name: "env.main" },
        type: "python",
        interface: {},
        target: { case: "container", value: { image: "i:1", args: ["a0"] } },
      },
    });
    const { run } = await runs.createRun(
      { id: { case: "runId", value: runId }, task: { case: "taskSpec", value } },
      { headers: requestId === null ? {} : { "x-request-id": requestId } },
    );
    return run?.action?.id?.run?.name;
  };
  assert.equal(await start("1"), "nightly");
  assert.equal(await start("1"), "nightly");
  await assert.rejects(start("2"), { rawMessage: /already a run "nightly", with the same task and inputs/ });
  // Of clients without ids, the command is all there is to know them by.
  assert.equal(await start(null), "nightly");
});
