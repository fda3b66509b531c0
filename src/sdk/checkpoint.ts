// Checkpoints inside a task: what the next attempt needs to go on from here.
//
// R1  A checkpoint counts once its bytes are stored and its record is committed, in that order; a
//     process that dies in between leaves the one before it in force.
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { putDirectory, writeDirectory } from "../blob/directory.ts";
import { GodwitError } from "../core/error.ts";
import type { Checkpoint } from "../core/messages.ts";
import type { Literals } from "../core/value.ts";
import type { Session } from "./session.ts";
import { decodeUntyped, encodeUntyped } from "./untyped.ts";

export interface TaskCheckpoint {
  /** Any value that a trace could return: JSON-like, dates, bytes, files. Resolves when it is durable. */
  save(value: unknown): Promise<void>;
  saveBytes(bytes: Uint8Array): Promise<void>;
  /** The files below this directory. */
  saveDir(path: string): Promise<void>;
  /** The last value saved, by an earlier attempt or this one; undefined if there is none. */
  load<T = unknown>(): Promise<T | undefined>;
  loadBytes(): Promise<Uint8Array | undefined>;
  /** Writes the files into a directory, which is made if need be. False if there is no checkpoint. */
  loadDir(into: string): Promise<boolean>;
}

export class SessionCheckpoint implements TaskCheckpoint {
  readonly #session: Session;
  #last: Checkpoint | null;

  constructor(session: Session) {
    this.#session = session;
    this.#last = session.launch.checkpoint;
  }

  async save(value: unknown): Promise<void> {
    const literals = await encodeUntyped(value, this.#session.blobs);
    await this.#keep("json", new TextEncoder().encode(JSON.stringify(literals)));
  }

  saveBytes(bytes: Uint8Array): Promise<void> {
    return this.#keep("bytes", bytes);
  }

  async saveDir(path: string): Promise<void> {
    const { digest, sizeBytes } = await putDirectory(this.#session.blobs, path);
    await this.#commit({ type: "directory", digest, sizeBytes });
  }

  async load<T = unknown>(): Promise<T | undefined> {
    const bytes = await this.#read("json", "load");
    if (bytes === undefined) return undefined;
    const literals = JSON.parse(new TextDecoder().decode(bytes)) as Literals;
    return (await decodeUntyped(literals, this.#session.blobs)) as T;
  }

  loadBytes(): Promise<Uint8Array | undefined> {
    return this.#read("bytes", "loadBytes");
  }

  async loadDir(into: string): Promise<boolean> {
    if (this.#last === null) return false;
    this.#expect("directory", "loadDir");
    await writeDirectory(this.#session.blobs, this.#last.digest, into);
    return true;
  }

  async #keep(type: "json" | "bytes", bytes: Uint8Array): Promise<void> {
    const { digest, sizeBytes } = await this.#session.blobs.put(bytes);
    await this.#commit({ type, digest, sizeBytes });
  }

  async #commit(checkpoint: Checkpoint): Promise<void> {
    await this.#session.attach({ type: "checkpoint", checkpoint });
    this.#last = checkpoint;
  }

  async #read(type: "json" | "bytes", method: string): Promise<Uint8Array | undefined> {
    if (this.#last === null) return undefined;
    this.#expect(type, method);
    return this.#session.blobs.read(this.#last.digest);
  }

  #expect(type: Checkpoint["type"], method: string): void {
    if (this.#last?.type === type) return;
    const saved = { json: "save", bytes: "saveBytes", directory: "saveDir" }[this.#last?.type ?? type];
    throw new GodwitError(
      "failed_precondition",
      `checkpoint.${method}() was called, but the last checkpoint was made by checkpoint.${saved}().`,
    );
  }
}

/** Outside a run: lives as long as the context, so that a unit test can save and load. */
export class LocalCheckpoint implements TaskCheckpoint {
  #value: { readonly value: unknown } | null = null;
  #bytes: Uint8Array | null = null;
  #dir: string | null = null;

  save(value: unknown): Promise<void> {
    this.#value = { value: structuredClone(value) };
    return Promise.resolve();
  }

  saveBytes(bytes: Uint8Array): Promise<void> {
    this.#bytes = Uint8Array.from(bytes);
    return Promise.resolve();
  }

  async saveDir(path: string): Promise<void> {
    const copy = await mkdtemp(join(tmpdir(), "godwit-checkpoint-"));
    await cp(path, copy, { recursive: true });
    if (this.#dir !== null) await rm(this.#dir, { recursive: true });
    this.#dir = copy;
  }

  load<T = unknown>(): Promise<T | undefined> {
    return Promise.resolve(this.#value?.value as T | undefined);
  }

  loadBytes(): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.#bytes ?? undefined);
  }

  async loadDir(into: string): Promise<boolean> {
    if (this.#dir === null) return false;
    await cp(this.#dir, into, { recursive: true });
    return true;
  }
}
