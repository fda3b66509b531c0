// Builds of directories that are named by what goes into them: each is made once, whoever asks for it and
// however often.
//
// R1  A directory counts as built when its record is in it, which is written last and appears whole.
// R2  Who builds holds the name's lock, which goes with its process (store/engine-locks.ts). What the lock
//     is free of and has no record is a remnant, and is removed.
// R3  Those who ask while it is built wait for that build, hear what it prints, and get its result. It is
//     called off when the last of them has left.
// R4  No more than `maxBuilds` are built at once by one process.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { GodwitError, isGodwitError } from "../core/error.ts";
import { EngineLocks } from "../store/engine-locks.ts";

export type BuildListener = {
  readonly print: (line: string) => void;
  readonly signal: AbortSignal;
};

/** Fills the directory; what it answers is the record. */
export type Make<Record> = (directory: string, context: BuildListener) => Promise<Record>;

const recordName = "built.json";
/** How often to look whether another process is done. */
const pollMs = 200;
/** What those hear who come later; of a build that prints more, the end. */
const maxKeptLines = 500;

type Running = {
  readonly listeners: Set<BuildListener>;
  readonly lines: string[];
  readonly controller: AbortController;
  readonly ended: Promise<unknown>;
};

export class Builds {
  readonly #directory: string;
  readonly #locks: EngineLocks;
  readonly #running = new Map<string, Running>();
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(directory: string, maxBuilds: number) {
    this.#directory = directory;
    this.#locks = new EngineLocks(join(directory, "locks"));
    this.#free = maxBuilds;
  }

  path(name: string): string {
    return join(this.#directory, name);
  }

  /** R1. */
  record<Record>(name: string): Record | null {
    try {
      return JSON.parse(readFileSync(join(this.path(name), recordName), "utf8")) as Record;
    } catch (error) {
      if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return null;
      throw error;
    }
  }

  /** The record of the directory, which is built if need be. */
  async build<Record>(name: string, listener: BuildListener, make: Make<Record>): Promise<Record> {
    const built = this.record<Record>(name);
    if (built !== null) return built;
    let running = this.#running.get(name);
    // What was called off ends soon; then it is begun anew.
    while (running?.controller.signal.aborted) {
      await running.ended.catch(() => {}); // It was called off.
      running = this.#running.get(name);
    }
    if (running === undefined) {
      running = this.#begin(name, make);
      this.#running.set(name, running);
    }
    return this.#follow(running, listener) as Promise<Record>;
  }

  /** R2: what no process builds any more. Never rejects. */
  async removeRemnants(): Promise<void> {
    for (const name of namesIn(this.#directory)) {
      if (!/^[0-9a-f]{64}$/.test(name) || existsSync(join(this.path(name), recordName))) continue;
      if (this.#running.has(name) || !this.#hold(name)) continue;
      try {
        if (this.record(name) === null) await rm(this.path(name), { recursive: true, force: true });
      } catch {
        // Left for the next build of that name, which says what is wrong.
      } finally {
        this.#locks.release(name);
      }
    }
  }

  /** Calls off all, and waits for their processes. */
  async close(): Promise<void> {
    const running = [...this.#running.values()];
    for (const { controller } of running) controller.abort();
    await Promise.allSettled(running.map(({ ended }) => ended));
  }

  #begin<Record>(name: string, make: Make<Record>): Running {
    const controller = new AbortController();
    const listeners = new Set<BuildListener>();
    const lines: string[] = [];
    const print = (line: string): void => {
      lines.push(line);
      if (lines.length > maxKeptLines) lines.shift();
      for (const each of listeners) each.print(line);
    };
    const ended = this.#inTurn(name, { print, signal: controller.signal }, make).finally(() =>
      this.#running.delete(name),
    );
    ended.catch(() => {}); // Those who follow it say so.
    return { listeners, lines, controller, ended };
  }

  /** R3. */
  async #follow({ listeners, lines, controller, ended }: Running, listener: BuildListener): Promise<unknown> {
    for (const line of lines) listener.print(line);
    listeners.add(listener);
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(calledOff());
    listener.signal.addEventListener("abort", leave, { once: true });
    if (listener.signal.aborted) leave();
    try {
      return await Promise.race([ended, left]);
    } finally {
      listener.signal.removeEventListener("abort", leave);
      listeners.delete(listener);
      if (listeners.size === 0) controller.abort();
    }
  }

  async #inTurn<Record>(name: string, context: BuildListener, make: Make<Record>): Promise<Record> {
    await this.#turn(context.signal);
    try {
      return await this.#locked(name, context, make);
    } finally {
      this.#free++;
      this.#waiting.shift()?.();
    }
  }

  /** R4. */
  async #turn(signal: AbortSignal): Promise<void> {
    while (this.#free === 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      signal.addEventListener("abort", () => resolve(), { once: true });
      await promise;
      const at = this.#waiting.indexOf(resolve);
      if (at !== -1) this.#waiting.splice(at, 1);
      if (signal.aborted) {
        this.#waiting.shift()?.(); // It may have been this one's turn.
        throw calledOff();
      }
    }
    this.#free--;
  }

  /** R2. */
  async #locked<Record>(name: string, context: BuildListener, make: Make<Record>): Promise<Record> {
    let isToldOf = false;
    while (!this.#hold(name)) {
      if (!isToldOf) context.print("Another process builds it; waiting for it.");
      isToldOf = true;
      await sleep(pollMs, undefined, { signal: context.signal }).catch(() => {
        throw calledOff();
      });
    }
    const directory = this.path(name);
    try {
      const built = this.record<Record>(name);
      if (built !== null) return built;
      await rm(directory, { recursive: true, force: true });
      await mkdir(directory, { recursive: true });
      if (context.signal.aborted) throw calledOff();
      const record = await make(directory, context);
      if (context.signal.aborted) throw calledOff();
      await writeWhole(join(directory, recordName), JSON.stringify(record));
      return record;
    } catch (error) {
      await rm(directory, { recursive: true, force: true, maxRetries: 3 }).catch(() => {}); // R2: a remnant.
      throw error;
    } finally {
      this.#locks.release(name);
    }
  }

  /** False: another process has it. */
  #hold(name: string): boolean {
    try {
      this.#locks.hold(name);
      return true;
    } catch (error) {
      if (isGodwitError(error) && error.code === "already_exists") return false;
      throw error;
    }
  }
}

const calledOff = (): GodwitError => new GodwitError("aborted", "The build was called off.");

/** Whoever reads it finds all of it or nothing. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const fresh = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  await writeFile(fresh, text, { flush: true });
  await rename(fresh, path);
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // Nothing has been built yet.
  }
}
