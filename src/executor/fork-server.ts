// A warm interpreter of Python that forks a process for each attempt (python/fork-server.py), and our end
// of each of these processes: three connections to a socket of ours.
//
// R1  A forked process is held as one of guard.ts: it cannot outlive this process, and when it ends so does
//     its group. Its guard reads from the connection that is called `life`.
// R2  A server that dies takes its processes with it: we end their groups.
// R3  A server that cannot be started, or that finds itself unfit to fork, is no error of the task: there is none then.
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { constants } from "node:os";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { assert, GodwitError } from "../core/error.ts";
import { readLines } from "../worker/stream.ts";
import { stopGraceMs } from "./executor.ts";
import { groupEnded } from "./group-end.ts";
import { type GuardedProcess, type ProcessExit, spawnGuarded } from "./guard.ts";
import { readRaw } from "./pipes.ts";

export type ForkServerOptions = {
  readonly python: string;
  /** A directory of its own, on a short path: the system takes 107 bytes for a socket's. */
  readonly dir: string;
  /** Of the server, and so of what is imported in it. */
  readonly env: { readonly [name: string]: string };
  /** What it writes that belongs to no attempt. */
  readonly onText: (text: string) => void;
};

export type ForkedProcess = Pick<GuardedProcess, "pid" | "stdout" | "stderr" | "exited" | "kill">;

export type Fork = {
  readonly argv: readonly string[];
  readonly env: { readonly [name: string]: string };
  readonly cwd: string;
};

/** From its start until it is ready to fork; some have to read their packages from a slow disk. */
const readyMs = 60_000;
/** From the request to a process that has connected. */
const forkMs = 30_000;

const program = join(import.meta.dirname, "python/fork-server.py");

type Event =
  | { readonly type: "ready" }
  | { readonly type: "unfit"; readonly reason: string }
  | { readonly type: "forked"; readonly id: number; readonly pid: number }
  | { readonly type: "exited"; readonly id: number; readonly code: number | null; readonly signal: number | null };

export class ForkServer {
  readonly #process: GuardedProcess;
  readonly #listener: Server;
  readonly #socketPath: string;
  readonly #children = new Map<number, Child>();
  readonly #byToken = new Map<string, Child>();
  readonly #ready = Promise.withResolvers<void>();
  #next = 0;
  #hasEnded = false;

  /** R3. Rejects with what was wrong. */
  static async start(options: ForkServerOptions): Promise<ForkServer> {
    const listener = createServer();
    const socketPath = join(options.dir, "s");
    await new Promise<void>((resolve, reject) => {
      listener.once("error", reject);
      listener.listen(socketPath, resolve);
    });
    const server = new ForkServer(listener, socketPath, options);
    const late = setTimeout(() => server.#fail(`it was not ready within ${readyMs} ms`), readyMs);
    try {
      await server.#ready.promise;
      return server;
    } catch (error) {
      await server.close();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  private constructor(listener: Server, socketPath: string, { python, env, dir, onText }: ForkServerOptions) {
    this.#listener = listener;
    this.#socketPath = socketPath;
    this.#process = spawnGuarded(python, [program], { cwd: dir, env, stdio: ["pipe", "pipe", "pipe", "pipe"] });
    const [commands, stdout, stderr, events] = this.#process.stdio;
    assert(commands !== null && events !== null && events !== undefined, "the server's pipes are there");
    commands?.on("error", () => {}); // It has ended; `exited` says so.
    readRaw(stdout as Socket, onText);
    readRaw(stderr as Socket, onText);
    readLines(
      events as Socket,
      (line) => this.#hear(JSON.parse(line) as Event),
      () => this.#fail("it said too much"),
    );
    listener.on("connection", (connection) => this.#connect(connection));
    this.#ready.promise.catch(() => {}); // Whoever started it hears of it.
    this.#process.exited.then(
      (exit) => this.#end(`it ended with ${exit.signal ?? `code ${exit.code}`}`),
      (error: Error) => this.#end(error.message),
    );
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Processes of attempts that have not ended. */
  get active(): number {
    return this.#children.size;
  }

  /** Rejects with `unavailable` if the server is, or goes, away. */
  async fork({ argv, env, cwd }: Fork): Promise<ForkedProcess> {
    if (this.#hasEnded) throw gone("it has ended");
    const id = this.#next++;
    const child = new Child(() => {
      this.#children.delete(id);
      this.#byToken.delete(child.token);
    });
    this.#children.set(id, child);
    this.#byToken.set(child.token, child);
    const request = { id, token: child.token, socket: this.#socketPath, argv, env, cwd };
    (this.#process.stdio[0] as Writable).write(`${JSON.stringify(request)}\n`);
    const late = setTimeout(() => child.end(null, gone(`a process was not there within ${forkMs} ms`)), forkMs);
    try {
      return await child.started;
    } finally {
      clearTimeout(late);
    }
  }

  /** Ends it, and all that it has forked. */
  async close(): Promise<void> {
    this.#fail("it was closed");
    await this.#process.exited.catch(() => {}); // It never started.
    await Promise.all([...this.#children.values()].map(({ gone: end }) => end));
  }

  #hear(event: Event): void {
    switch (event.type) {
      case "ready":
        this.#ready.resolve();
        return;
      case "unfit":
        this.#ready.reject(gone(event.reason));
        return;
      case "forked":
        this.#children.get(event.id)?.begin(event.pid);
        return;
      case "exited":
        this.#children.get(event.id)?.end({ code: event.code, signal: signalName(event.signal) }, null);
        return;
    }
  }

  /** Its first line says what it is. */
  #connect(connection: Socket): void {
    connection.on("error", () => connection.destroy());
    let head = Buffer.alloc(0);
    const onReadable = (): void => {
      const chunk = connection.read() as Buffer | null;
      if (chunk === null) return;
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf(10);
      if (end < 0) return;
      connection.off("readable", onReadable);
      const [token = "", name = ""] = head.subarray(0, end).toString().split(" ");
      if (end + 1 < head.length) connection.unshift(head.subarray(end + 1));
      const child = this.#byToken.get(token);
      if (child === undefined) connection.destroy();
      else child.take(name, connection);
    };
    connection.on("readable", onReadable);
  }

  #fail(reason: string): void {
    this.#ready.reject(gone(reason));
    this.#process.kill("SIGKILL");
  }

  /** R2. */
  #end(reason: string): void {
    this.#hasEnded = true;
    this.#ready.reject(gone(reason));
    for (const child of this.#children.values()) child.end(null, gone(reason));
    this.#listener.close();
    rmSync(this.#socketPath, { force: true });
  }
}

/** One forked process, as far as it is known. */
class Child {
  readonly token = randomBytes(16).toString("hex");
  readonly #started = Promise.withResolvers<ForkedProcess>();
  readonly #exited = Promise.withResolvers<ProcessExit>();
  readonly #connections = new Map<string, Socket>();
  readonly #onGone: () => void;
  #pid: number | null = null;
  #hasEnded = false;
  #forced: NodeJS.Timeout | undefined;

  constructor(onGone: () => void) {
    this.#onGone = onGone;
    this.#exited.promise.catch(() => {}); // Whoever needs the reason awaits it; nobody has to.
    this.#started.promise.catch(() => {});
  }

  get started(): Promise<ForkedProcess> {
    return this.#started.promise;
  }

  /** When its group is gone. */
  get gone(): Promise<unknown> {
    return this.#exited.promise.catch(() => {}); // How it ended is no matter.
  }

  begin(pid: number): void {
    this.#pid = pid;
    this.#announce();
  }

  take(name: string, connection: Socket): void {
    if (this.#hasEnded) connection.destroy();
    this.#connections.set(name, connection);
    if (name === "life") connection.resume();
    this.#announce();
  }

  /** `exit` null: the server is gone, and nobody will tell of the process. */
  end(exit: ProcessExit | null, error: Error | null): void {
    if (this.#hasEnded) return;
    clearTimeout(this.#forced);
    this.#kill("SIGKILL");
    this.#hasEnded = true;
    const life = this.#connections.get("life");
    const done = async (): Promise<void> => {
      if (this.#pid !== null) await groupEnded(this.#pid);
      this.#onGone();
      if (exit === null) this.#exited.reject(error);
      else this.#exited.resolve(exit);
      // It may have ended before it could connect all of its streams.
      this.#started.reject(error ?? gone("a process ended before it began"));
    };
    if (life === undefined || life.closed) void done();
    else life.once("close", () => void done());
    // Its guard ends what cannot be named.
    if (this.#pid === null) for (const connection of this.#connections.values()) connection.destroy();
  }

  #announce(): void {
    const stdout = this.#connections.get("stdout");
    const stderr = this.#connections.get("stderr");
    if (this.#pid === null || stdout === undefined || stderr === undefined || !this.#connections.has("life")) return;
    const kill: GuardedProcess["kill"] = (signal, { to = "command", graceMs = stopGraceMs } = {}) => {
      if (this.#hasEnded) return;
      this.#kill(signal, signal === "SIGKILL" ? "group" : to);
      if (signal !== "SIGKILL") this.#forced ??= setTimeout(() => this.#kill("SIGKILL"), graceMs);
    };
    this.#started.resolve({ pid: this.#pid, stdout, stderr, exited: this.#exited.promise, kill });
  }

  /** The guard keeps the number in use until its connection is closed. */
  #kill(signal: NodeJS.Signals, to: "command" | "group" = "group"): void {
    if (this.#pid === null || this.#hasEnded) return;
    try {
      process.kill(to === "group" ? -this.#pid : this.#pid, signal);
    } catch (error) {
      // Nobody is left; or it has not made its own group yet, and ends when it cannot connect.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}

const signalName = (number: number | null): NodeJS.Signals | null =>
  number === null
    ? null
    : ((Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? "SIGKILL") as NodeJS.Signals);

const gone = (reason: string): GodwitError =>
  new GodwitError("unavailable", `The warm interpreter of Python is gone: ${reason}.`);
