// A whole server in this process, on a port and a data directory of its own, and plain HTTP to it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Log, silentLog } from "../../src/server/server.ts";
import { openService, type Service } from "../../src/service.ts";
import {
  defaultImageSettings,
  noDecisions,
  readServerSettings,
  type ServerSettings,
} from "../../src/settings/settings.ts";

export type TestService = Service & {
  readonly url: string;
  readonly dataDir: string;
  /** What the server said that should not have happened. */
  readonly bugs: readonly unknown[];
};

/** Ends with the test, or the file's tests. */
export async function startService(
  t: Pick<TestContext, "after">,
  settings: Partial<ServerSettings> = {},
): Promise<TestService> {
  const dataDir = mkdtempSync(join(tmpdir(), "godwit-service-"));
  const bugs: unknown[] = [];
  const log: Log = { ...silentLog, error: (fields) => void bugs.push(fields) };
  const server = readServerSettings({ file: join(dataDir, "none.json"), isNamed: false, env: {}, flags: {} });
  const service = await openService({
    dataDir,
    engine: noDecisions,
    server: { ...server, port: 0, secondPort: null, drainMs: 1_000, ...settings },
    images: defaultImageSettings,
    user: "tester",
    log,
  });
  let closed: Promise<void> | null = null;
  const close = (): Promise<void> => {
    closed ??= service.close();
    return closed;
  };
  t.after(async () => {
    await close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return { ...service, close, url: service.server.url, dataDir, bugs };
}

export type Answer = {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly body: unknown;
};

/** A unary call as JSON; `code` is "ok" when it succeeds. */
export async function ask(url: string, method: string, request: unknown): Promise<Answer> {
  const response = await fetch(`${url}/flyteidl2.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof request === "string" ? request : JSON.stringify(request),
  });
  return answerOf(response);
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text();
  const body = JSON.parse(text === "" ? "{}" : text);
  const isOk = response.status === 200;
  return {
    status: response.status,
    code: isOk ? "ok" : body.code,
    message: isOk ? "" : (body.message ?? ""),
    body,
  };
}
