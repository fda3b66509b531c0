// A process that looks after the triggers of a data directory and serves their runs, until it is killed.
// The first one also deploys what is to be done: a backfill of shell tasks, each end of which is told.

import { defaultRetries } from "../../src/core/retry.ts";
import { specDigest, type TaskSpec } from "../../src/core/task.ts";
import { openGodwit } from "../../src/godwit.ts";

const [, , dataDir = "", url = "", ticks = "0"] = process.argv;
const scope = { project: "default", domain: "development", caller: "tester" };

const spec: TaskSpec = {
  name: "env.tick",
  shortName: "tick",
  environment: "env",
  description: null,
  location: null,
  interface: { inputs: [], outputs: [] },
  target: { type: "shell", command: ["sh", "-c", "sleep 0.05"], env: {} },
  resources: { cpuMillis: 100, memoryBytes: null },
  retries: defaultRetries,
  timeouts: { attemptMs: null, queuedMs: null, deadlineMs: null },
  cache: { type: "off" },
  env: {},
  code: { type: "unknown", reason: "a command" },
};

const godwit = await openGodwit({ dataDir });
const onProblem = (text: string): void => console.error(text);
godwit.serveAll((error) => onProblem(String(error)));
await godwit.startTriggers({ reach: "loopback", onProblem });
const name = { task: spec.name, name: "minutely" };
const startMs = Date.UTC(2026, 0, 1);
const { triggers, backfills } = godwit.control;
await triggers.deploy(scope, {
  ...name,
  description: "",
  automation: {
    type: "schedule",
    schedule: { type: "rate", everyMinutes: 1, startAtMs: startMs },
    timeInput: null,
    catchUp: "all",
    overlap: "allow",
  },
  inputs: {},
  isActive: false,
  expectedRevision: null,
  manifest: { bundle: specDigest(spec), entry: "none", tasks: [spec] },
  source: { file: "none", projectDir: "/" },
  taskVersion: null,
  notify: [{ phases: ["succeeded"], target: { url, method: "POST", headers: {}, body: null } }],
});
const beforeMs = startMs + Number(ticks) * 60_000;
await backfills.create(scope, name, { id: "all", fromMs: startMs, beforeMs, parallelism: 4, repeats: false });
// What goes on is what the test waits for: all of it told, or one more kill.
for (;;) {
  const { phase } = await backfills.get(scope, "all");
  console.log(phase);
  await new Promise((resolve) => setTimeout(resolve, 100));
}
