// Builds as attempts: their logs, their errors, their ends.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { openFileBlobs } from "../blob/files.ts";
import type { Launch, LogLine, Outcome } from "../core/messages.ts";
import type { Literals } from "../core/value.ts";
import { Capacity } from "../executor/capacity.ts";
import type { Executor } from "../executor/executor.ts";
import { taskSpecMessage, taskSpecOf } from "../idl/task-spec-message.ts";
import { until } from "../testing/until.ts";
import { buildImageTask } from "./build-task.ts";
import { imageExecutor } from "./image-executor.ts";
import { dir, environmentWith, open, type SpecInit, skip, uploadedSpec } from "./images.fixture.ts";

const blobs = await openFileBlobs(join(dir, "blobs"));
const machine = { cpuMillis: 0, memoryBytes: 2 ** 30, diskBytes: 2 ** 30, gpus: [], tokens: {} };

let count = 0;
const launchOf = (inputs: Literals): Launch => ({
  run: 1,
  runName: "swift-run",
  project: "flytesnacks",
  domain: "development",
  action: `a${count++}`,
  attempt: 1,
  depth: 0,
  bundle: "",
  projectDir: dir,
  seed: 0,
  resources: { cpuMillis: 0, memoryBytes: null },
  checkpoint: null,
  isRecovery: false,
  inputs: { type: "inline", text: JSON.stringify(inputs) },
  spec: buildImageTask(),
});

const inputsOf = (spec: SpecInit): Literals => ({
  spec: { type: "string", value: uploadedSpec(spec) },
  context: { type: "string", value: "" },
  target_image: { type: "string", value: "flyte:tag" },
});

function opened(settings: Parameters<typeof open>[0]) {
  const lines: LogLine[] = [];
  const images = open(settings);
  const executor = imageExecutor({
    images,
    blobs,
    logs: { append: (_, printed) => lines.push(...printed) },
    capacity: new Capacity({ machine, limits: {} }),
  });
  return { executor, images, lines };
}

async function outcomeOf(executor: Executor, launch: Launch): Promise<Outcome["result"]> {
  const woken = new Promise<void>((resolve) => executor.start(resolve));
  executor.ensureLaunched([launch, launch]);
  await woken;
  const [outcome, ...more] = executor.takeOutcomes(10);
  assert.deepEqual([outcome?.action, more.length, executor.running().length], [launch.action, 0, 0]);
  return (outcome as Outcome).result;
}

test("the task is the same after it was the protocol's message, which is how clients send it", () => {
  assert.deepEqual(taskSpecOf(taskSpecMessage(buildImageTask())), buildImageTask());
});

test("a build gives the image's URI, and its log is the attempt's", { skip }, async () => {
  const { executor, images, lines } = opened({ python: environmentWith("2.12.1") });
  const launch = launchOf(inputsOf({}));
  assert.ok(executor.accepts(launch));
  assert.equal(executor.reserve({ ...launch, maxConcurrency: null }, null), null);
  const result = await outcomeOf(executor, launch);
  assert(result.type === "succeeded" && result.outputs.type === "inline", JSON.stringify(result));
  const { o0 } = JSON.parse(result.outputs.text) as { o0: { value: string } };
  assert.ok((await images.resolve(o0.value)).python.endsWith("/venv/bin/python"));
  assert.match(lines.map(({ text }) => text).join("\n"), /^Python 3(.|\n)*Prepared godwit-venv/);
  await executor.close();
});

test("what the image asks for in vain is the user's error, which no retry can help", { skip }, async () => {
  const { executor } = opened({ python: environmentWith("2.12.1") });
  const result = await outcomeOf(executor, launchOf(inputsOf({ baseImage: "nvcr.io/pytorch:1" })));
  assert(result.type === "failed");
  const { code, kind, recoverable, message } = result.error;
  assert.deepEqual([code, kind, recoverable], ["ImageBuildFailed", "user", false]);
  assert.match(message, /not known here/);
  const odd = await outcomeOf(executor, launchOf({}));
  assert.equal(odd.type === "failed" && odd.error.code, "InputInvalid");
  await executor.close();
});

test("an abort ends what the build has started, and no outcome follows", { skip }, async () => {
  const { executor, lines } = opened({ python: environmentWith("2.12.1"), allowCommands: true });
  const cmd = ["echo begun; exec sleep 600"];
  const launch = launchOf(inputsOf({ layers: [{ case: "commands", value: { cmd } }] }));
  executor.start(() => {});
  executor.ensureLaunched([launch]);
  await until("the command runs", () => lines.some(({ text }) => text === "begun"), 30_000);
  executor.stop([launch], "aborted");
  await until("nothing runs", () => executor.running().length === 0);
  assert.deepEqual(executor.takeOutcomes(10), []);
  await executor.close(); // Waits for the build's processes.
});
