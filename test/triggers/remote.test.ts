// Triggers, backfills and notifications as a user of TypeScript and of the command line has them, on a real server.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { Client } from "../../src/client/client.ts";
import { until } from "../../src/testing/until.ts";
import { type DevServer, serveDev } from "../dev-server.ts";
import { makeProject, type Project } from "../project.ts";

const tasks = (cron: string) => `import { environment } from "godwit";
import { z } from "zod";

const env = environment({ name: "daily" });

export const main = env.task(
  {
    name: "main",
    input: z.object({ day: z.date(), depth: z.int().min(1).default(1) }),
    output: z.string(),
    triggers: [
      {
        name: "nightly",
        cron: "${cron}",
        timeZone: "Europe/Berlin",
        inputs: { depth: 3 },
        timeInput: "day",
        catchUp: "latest",
        overlap: "skip",
      },
      { name: "by-hand", inputs: { day: new Date("2026-01-02T00:00:00Z") } },
    ],
  },
  async ({ day, depth }) => \`\${day.toISOString()} \${depth}\`,
);
`;

let server: DevServer;
let near: Project;
let receiver: Server;
const received: { readonly type: string; readonly run: { readonly name: string } }[] = [];
let arrived = (): void => {};

before(async () => {
  near = makeProject();
  near.write("daily.ts", tasks("0 3 * * *"));
  receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    received.push(JSON.parse(Buffer.concat(chunks).toString()));
    response.end();
    arrived();
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  server = await serveDev();
  await godwit("deploy", "daily.ts");
});

after(async () => {
  await server?.stop();
  receiver?.close();
  near?.remove();
});

const execute = promisify(execFile);

async function godwit(...words: readonly string[]) {
  const bin = join(import.meta.dirname, "../../bin/godwit.js");
  const env = { ...process.env, GODWIT_ENDPOINT: server.endpoint };
  const { stdout } = await execute(process.execPath, [bin, ...words, "--json"], { cwd: near.dir, env });
  return JSON.parse(stdout);
}

async function outputOf(name: string) {
  const run = new Client({ endpoint: server.endpoint }).run(name);
  assert.equal((await run.ended()).phase, "succeeded");
  return (await run.values(await run.action())).outputs?.o0;
}

test("a deployed task has its triggers, with their policies and the next tick; the same again is no revision", async () => {
  const listed = await godwit("get", "triggers");
  assert.deepEqual(
    listed.map(({ trigger, schedule, active, catchUp, overlap, timeInput }: Record<string, unknown>) => [
      ...[trigger, schedule, active, catchUp, overlap, timeInput],
    ]),
    [
      ["by-hand", null, true, null, null, null],
      ["nightly", "0 3 * * * (Europe/Berlin)", true, "latest", "skip", "day"],
    ],
  );
  const [tick] = await godwit("trigger", "preview", "daily.main", "nightly", "--count", "1");
  assert.equal(tick.at, listed[1].nextTick);
  await godwit("deploy", "daily.ts");
  const revisions = await godwit("trigger", "history", "daily.main", "nightly");
  assert.deepEqual(
    revisions.map(({ action }: { readonly action: string }) => action),
    ["deploy"],
  );
});

test("who fires a trigger gets a run with its inputs; one that is deactivated has no next tick", async () => {
  const { run } = await godwit("trigger", "fire", "daily.main", "by-hand");
  assert.deepEqual(await outputOf(run), { type: "string", value: "2026-01-02T00:00:00.000Z 1" });
  const other = await godwit("trigger", "fire", "daily.main", "by-hand", "--inputs", '{"depth": 7}');
  assert.deepEqual(await outputOf(other.run), { type: "string", value: "2026-01-02T00:00:00.000Z 7" });
  await godwit("trigger", "deactivate", "daily.main", "nightly");
  const [, nightly] = await godwit("get", "triggers", "daily.main");
  assert.deepEqual([nightly.active, nightly.nextTick], [false, null]);
  await godwit("trigger", "activate", "daily.main", "nightly");
  const [newest] = await godwit("trigger", "history", "daily.main", "nightly");
  assert.equal(newest.action, "activate");
});

test("a backfill says its ticks, starts them two at a time, and each run has its own time", async () => {
  const period = ["--from", "2026-03-27", "--to", "2026-04-01", "--parallelism", "2"];
  const { total, first } = await godwit("backfill", "daily.main", "nightly", ...period, "--preview");
  assert.equal(total, 5);
  // The clock is put forward on the 29th.
  assert.deepEqual(
    first.map(({ at }: { readonly at: string }) => at.slice(5, 16)),
    ["03-27T02:00", "03-28T02:00", "03-29T01:00", "03-30T01:00", "03-31T01:00"],
  );
  const { backfill, counts } = await godwit("backfill", "daily.main", "nightly", ...period);
  assert.equal(counts.planned, 5);
  const { automation } = new Client({ endpoint: server.endpoint });
  const seen: number[] = [];
  await until("the backfill is done", async () => {
    const { phase, active } = await automation.getBackfill(backfill);
    seen.push(active.length);
    return phase === "done";
  });
  assert(Math.max(...seen) <= 2, `${seen}`);
  const [done] = await godwit("get", "backfills");
  assert.deepEqual([done.backfill, done.phase, done.counts.succeeded, done.counts.failed], [backfill, "done", 5, 0]);
  assert.deepEqual(await outputOf(first[2].run), { type: "string", value: "2026-03-29T01:00:00.000Z 3" });
  assert.equal((await godwit("backfill", "abort", backfill)).phase, "done");
});

test("a webhook is called when the run has ended, if it is in one of the phases", async () => {
  const { port } = receiver.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/ended`;
  const notified = new Promise<void>((resolve) => {
    arrived = resolve;
  });
  const day = ["--day", "2026-01-01T00:00:00Z"];
  const start = (...more: readonly string[]) => godwit("run", "--remote", "--task", "daily.main", ...day, ...more);
  await start("--notify", `${url},failed`);
  const { run } = await start("--notify", `${url},succeeded,failed`);
  await notified;
  assert.deepEqual(
    received.map(({ type, run: { name } }) => [type, name]),
    [["run.succeeded", run]],
  );
});

test("a project's webhook is told of all its runs, and the log says what became of it", async () => {
  const { port } = receiver.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/all`;
  await godwit("notify", "set", "team", `${url},succeeded`);
  await godwit("notify", "set", "team", `${url},succeeded,aborted`);
  const [rule, ...others] = await godwit("notify", "ls");
  assert.deepEqual([rule.rule, rule.phases, others], ["team", ["succeeded", "aborted"], []]);
  const { run } = await godwit("trigger", "fire", "daily.main", "by-hand");
  await until("the run's end was told", async () => {
    const [notification] = await godwit("notify", "log", run);
    return notification?.state === "delivered" && notification.url === url;
  });
  assert.equal(received.at(-1)?.run.name, run);
  assert.deepEqual(await godwit("notify", "rm", "team"), { rule: "team", removed: true });
  assert.deepEqual(await godwit("notify", "ls"), []);
});

test("a version is promoted with its triggers, if that is asked for", async () => {
  const [{ version }] = await godwit("get", "tasks", "--remote");
  await godwit("promote", "daily.main", version, "--to", "staging");
  assert.deepEqual(await godwit("get", "triggers", "--domain", "staging"), []);
  await godwit("promote", "daily.main", version, "--to", "production", "--triggers");
  const there = await godwit("get", "triggers", "--domain", "production");
  const policies = there.map(({ trigger, catchUp, overlap }: Record<string, unknown>) => [trigger, catchUp, overlap]);
  assert.deepEqual(policies, [
    ["by-hand", null, null],
    ["nightly", "latest", "skip"],
  ]);
  const { run } = await godwit("trigger", "fire", "daily.main", "by-hand", "--domain", "production");
  const fired = new Client({ endpoint: server.endpoint, domain: "production" }).run(run);
  assert.equal((await fired.ended()).phase, "succeeded");
});

test("another schedule is another revision, and a deleted trigger is gone", async () => {
  near.write("daily.ts", tasks("30 4 * * *"));
  await godwit("deploy", "daily.ts");
  const [, nightly] = await godwit("get", "triggers");
  assert.equal(nightly.schedule, "30 4 * * * (Europe/Berlin)");
  await godwit("trigger", "delete", "daily.main", "by-hand");
  assert.deepEqual(
    (await godwit("get", "triggers")).map(({ trigger }: { readonly trigger: string }) => trigger),
    ["nightly"],
  );
});
