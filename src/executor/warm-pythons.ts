// The warm interpreters (fork-server.ts) that are there, one for each environment and set of variables: what
// the SDK reads of them while it is imported is read once. Attempts for which there is none start cold.
//
// R1  A few at most, each while it is used and for some time after. One more is started only in the place of
//     one that is idle; else the attempt starts cold.
// R2  One that could not be started is not tried again for a while.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalJson, sha256Hex } from "../core/hash.ts";
import { type Fork, type ForkedProcess, ForkServer } from "./fork-server.ts";

export type WarmPythonsOptions = {
  /** Started at once, at most. Default 4: each holds some 80 MB. */
  readonly limit?: number;
  /** From its last attempt to its end. Default: ten minutes. */
  readonly idleMs?: number;
  readonly onText: (text: string) => void;
};

export type WarmStart = Fork & {
  readonly python: string;
  /** Variables that are the attempt's alone: interpreters are shared by attempts that differ in no other. */
  readonly own: ReadonlySet<string>;
};

const retryMs = 60_000;

type Warm = {
  readonly key: string;
  readonly server: Promise<ForkServer>;
  readonly dir: Promise<string>;
  users: number;
  usedAtMs: number;
  /** Nobody new comes; it ends with the last that is there. */
  isLeaving: boolean;
};

export class WarmPythons {
  readonly #options: Required<WarmPythonsOptions>;
  /** Those that take attempts. */
  readonly #warm = new Map<string, Warm>();
  readonly #all = new Set<Warm>();
  /** Key → when it failed. */
  readonly #failed = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor({ limit = 4, idleMs = 10 * 60_000, onText }: WarmPythonsOptions) {
    this.#options = { limit, idleMs, onText };
  }

  /** Null: it has to start cold. */
  async start(start: WarmStart): Promise<ForkedProcess | null> {
    // Elsewhere forking a process that has loaded the system's frameworks is not safe.
    if (process.platform !== "linux" || this.#isClosed) return null;
    const shared = Object.fromEntries(Object.entries(start.env).filter(([name]) => !start.own.has(name)));
    const key = sha256Hex(canonicalJson([start.python, shared]));
    const warm = this.#warm.get(key) ?? this.#open(key, start.python, shared);
    if (warm === null) return null;
    warm.users += 1;
    try {
      const server = await warm.server;
      const forked = await server.fork(start);
      void forked.exited.catch(() => {}).finally(() => this.#leave(warm)); // How it ended its executor says.
      return forked;
    } catch (error) {
      this.#failed.set(key, performance.now());
      this.#options.onText(`${(error as Error).message} Python tasks start cold for a while.`);
      this.#retire(warm);
      this.#leave(warm);
      return null;
    }
  }

  /** When all that was forked has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await Promise.all([...this.#all].map((warm) => this.#end(warm)));
  }

  /** R1, R2. */
  #open(key: string, python: string, env: Fork["env"]): Warm | null {
    const failedAtMs = this.#failed.get(key);
    if (failedAtMs !== undefined && performance.now() - failedAtMs < retryMs) return null;
    this.#failed.delete(key);
    if (this.#all.size >= this.#options.limit) {
      const idle = [...this.#all].filter(({ users }) => users === 0).sort((a, b) => a.usedAtMs - b.usedAtMs);
      const [oldest] = idle;
      if (oldest === undefined) return null;
      this.#retire(oldest);
    }
    const dir = mkdtemp(join(tmpdir(), "godwit-python-"));
    const { onText } = this.#options;
    const server = dir.then((path) => ForkServer.start({ python, dir: path, env: { ...env, PWD: path }, onText }));
    const warm: Warm = { key, server, dir, users: 0, usedAtMs: performance.now(), isLeaving: false };
    this.#warm.set(key, warm);
    this.#all.add(warm);
    return warm;
  }

  #leave(warm: Warm): void {
    warm.users -= 1;
    warm.usedAtMs = performance.now();
    if (warm.isLeaving) this.#retire(warm);
    else if (!this.#isClosed) this.#timer ??= setTimeout(() => this.#retireIdle(), this.#options.idleMs).unref();
  }

  #retireIdle(): void {
    this.#timer = null;
    const sinceMs = performance.now() - this.#options.idleMs;
    for (const warm of this.#warm.values()) if (warm.users === 0 && warm.usedAtMs <= sinceMs) this.#retire(warm);
    if (this.#warm.size > 0) this.#timer = setTimeout(() => this.#retireIdle(), this.#options.idleMs).unref();
  }

  #retire(warm: Warm): void {
    warm.isLeaving = true;
    if (this.#warm.get(warm.key) === warm) this.#warm.delete(warm.key);
    if (warm.users === 0) void this.#end(warm);
  }

  async #end(warm: Warm): Promise<void> {
    // One that never started has nothing to be closed; `start` has told so.
    await warm.server.then((server) => server.close()).catch(() => {});
    await warm.dir.then((dir) => rm(dir, { recursive: true, force: true })).catch(() => {});
    this.#all.delete(warm);
  }
}
