// `kill -9` of a process that looks after triggers, again and again: each tick of a backfill has one run,
// each run comes to its end, and each end is told, under one id.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openSqliteStore } from "../../src/store/sqlite.ts";
import { until } from "../project.ts";

const program = join(import.meta.dirname, "server.fixture.ts");
const ticks = 24;
const kills = 5;

async function receiver(t: TestContext) {
  const told: { readonly id: string; readonly run: string }[] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    told.push({ id: String(request.headers["webhook-id"]), run: JSON.parse(body).run.name });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { told, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

test("killed again and again, a backfill starts each of its runs once, and each end is told", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "godwit-triggers-"));
  t.after(() => rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 }));
  const { told, url } = await receiver(t);
  const start = () => {
    const child = spawn(process.execPath, [program, dataDir, url, String(ticks)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => child.kill("SIGKILL"));
    return { child, ended: once(child, "exit"), said: once(child.stdout, "data") };
  };
  const toldRuns = (): number => new Set(told.map(({ run }) => run)).size;
  for (let kill = 0; kill < kills; kill++) {
    const { child, ended, said } = start();
    await said;
    const before = toldRuns();
    await until(() => toldRuns() > before || toldRuns() === ticks, "another end is told", 60_000);
    child.kill("SIGKILL");
    await ended;
  }
  const last = start();
  await until(() => toldRuns() === ticks, "every end is told", 120_000);
  last.child.kill("SIGKILL");
  await last.ended;
  const store = await openSqliteStore({ path: join(dataDir, "godwit.db") });
  t.after(() => store.close());
  const { items } = await store.runs({ project: "default", domain: "development" }, 1_000);
  assert.equal(items.length, ticks);
  assert.equal(new Set(items.map(({ origin }) => origin.runStartAtMs)).size, ticks);
  assert.ok(items.every(({ phase }) => phase === "succeeded"));
  assert.equal(new Set(told.map(({ id }) => id)).size, ticks, "an end is told under one id");
});
