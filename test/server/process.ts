// `godwit server` as a process that is killed and started again on the same data directory and port.
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../free-port.ts";
import { processesWith, until } from "../project.ts";

const command = join(import.meta.dirname, "../../bin/godwit.js");

export type ServerProcess = {
  readonly url: string;
  readonly dataDir: string;
  /** Resolves when it answers. */
  start(): Promise<void>;
  kill(signal: "SIGKILL" | "SIGTERM"): Promise<number | null>;
  readonly pid: number;
  /** What it has said, all its lives long. */
  said(): string;
  /** Of it and of all that it has started. */
  processes(): readonly number[];
  /** Ends what is left, and removes the data directory. */
  remove(): void;
};

export async function serverProcess(
  env: NodeJS.ProcessEnv = {},
  nodeArgs: readonly string[] = [],
): Promise<ServerProcess> {
  const mark = randomUUID();
  const dataDir = mkdtempSync(join(tmpdir(), "godwit-server-"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  let said = "";
  let child: ChildProcess | null = null;
  return {
    url,
    dataDir,
    start: async () => {
      const args = ["server", "--port", String(port), "--data-dir", dataDir, "--log-level", "warn"];
      child = spawn(process.execPath, [...nodeArgs, command, ...args], {
        cwd: dataDir,
        env: { ...process.env, ...env, NO_COLOR: "1", GODWIT_TEST_MARK: mark },
        stdio: ["ignore", "pipe", "pipe"],
      });
      for (const stream of [child.stdout, child.stderr])
        stream?.on("data", (piece: Buffer) => {
          said = `${said}${piece}`.slice(-1_000_000);
        });
      await until(async () => (await fetch(`${url}/readyz`).catch(() => null))?.status === 200, `it is ready: ${said}`);
    },
    kill: async (signal) => {
      const ending = child;
      if (ending === null) return null;
      const ended = once(ending, "exit");
      ending.kill(signal);
      const [code] = await ended;
      return code;
    },
    get pid() {
      return child?.pid ?? 0;
    },
    said: () => said,
    processes: () => [...new Set([...processesWith("GODWIT_TEST_MARK", mark), ...processesAbout(dataDir)])],
    remove: () => {
      for (const pid of [...processesWith("GODWIT_TEST_MARK", mark), ...processesAbout(dataDir)])
        process.kill(pid, "SIGKILL");
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** Whose command line names the directory: tasks are not given the server's environment. */
const processesAbout = (directory: string): readonly number[] =>
  readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(join("/proc", pid, "cmdline"), "utf8").includes(directory);
      } catch {
        return false; // Ended in between.
      }
    })
    .map(Number);
