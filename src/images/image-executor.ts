// Runs builds of images as attempts: what pip prints is the attempt's log, what the client did wrong is its
// error, and an abort ends the build.
//
// R1  Whoever is told to stop leaves the build; it goes on for others that wait for it (builds.ts R3).
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload, toPayload } from "../blob/payload.ts";
import { type ActionError, errorCodes } from "../core/action.ts";
import type { Clock } from "../core/clock.ts";
import { classOfCode, GodwitError, isGodwitError, isOfSurroundings } from "../core/error.ts";
import { type AttemptId, type AttemptRef, attemptId, type Launch, type Outcome } from "../core/messages.ts";
import type { WaitReason } from "../core/resources.ts";
import { type Literals, soleOutput } from "../core/value.ts";
import type { Capacity } from "../executor/capacity.ts";
import type { Executor, Kept, LogSink, Wanted } from "../executor/executor.ts";
import type { Images } from "./images.ts";

export type ImageExecutorOptions = {
  readonly images: Images;
  readonly blobs: BlobStore;
  readonly logs: LogSink;
  /** For the time of log lines. */
  readonly clock?: Pick<Clock, "nowMs">;
  readonly capacity: Capacity;
};

/** `errorCodes` are those of any task; this one is of builds. */
const buildFailed = "ImageBuildFailed";

export const imageExecutor = (options: ImageExecutorOptions): Executor => new ImageExecutor(options);

type Held = { readonly launch: Launch; readonly controller: AbortController; done: Promise<void> };

class ImageExecutor implements Executor {
  readonly #options: ImageExecutorOptions;
  readonly #held = new Map<AttemptId, Held>();
  readonly #reserved = new Set<AttemptId>();
  #outcomes: Outcome[] = [];
  #wake: () => void = () => {};
  #stopListening: () => void = () => {};
  #cleaned: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: ImageExecutorOptions) {
    this.#options = options;
  }

  accepts({ spec }: Pick<Launch, "spec">): boolean {
    return spec.target.type === "image";
  }

  reserve(wanted: Wanted, kept: Kept | null): WaitReason | null {
    if (this.#isClosed) return { type: "turn" };
    const reason = this.#options.capacity.take(wanted, kept);
    if (reason === null) this.#reserved.add(attemptId(wanted));
    return reason;
  }

  release(attempts: readonly AttemptRef[]): void {
    for (const id of attempts.map(attemptId)) if (this.#reserved.delete(id)) this.#options.capacity.give(id);
  }

  ensureLaunched(launches: readonly Launch[]): void {
    if (this.#isClosed) return;
    const { capacity } = this.#options;
    const ended = new Set(this.#outcomes.map(attemptId));
    for (const launch of launches) {
      const id = attemptId(launch);
      this.#reserved.delete(id);
      if (this.#held.has(id) || ended.has(id)) continue;
      capacity.enter({ ...launch, maxConcurrency: null });
      const held: Held = { launch, controller: new AbortController(), done: Promise.resolve() };
      this.#held.set(id, held);
      held.done = this.#run(held).then((result) => {
        this.#held.delete(id);
        capacity.give(id);
        if (!held.controller.signal.aborted) this.#outcomes.push({ ...refOf(launch), result });
        this.#wake();
      });
    }
  }

  takeOutcomes(limit: number): readonly Outcome[] {
    return this.#outcomes.splice(0, limit);
  }

  running(): readonly AttemptRef[] {
    return [...[...this.#held.values()].map(({ launch }) => launch), ...this.#outcomes].map(refOf);
  }

  stop(attempts: readonly AttemptRef[]): void {
    this.release(attempts);
    const stopped = new Set(attempts.map(attemptId));
    this.#outcomes = this.#outcomes.filter((outcome) => !stopped.has(attemptId(outcome)));
    for (const id of stopped) this.#held.get(id)?.controller.abort(); // R1
  }

  start(wake: () => void): void {
    this.#wake = wake;
    this.#cleaned = this.#options.images.clean();
    this.#stopListening();
    this.#stopListening = this.#options.capacity.onRoom(wake);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopListening();
    this.stop(this.running());
    await Promise.all([...this.#held.values()].map(({ done }) => done));
    await this.#options.images.close();
    await this.#cleaned;
  }

  /** Never rejects. */
  async #run({ launch, controller }: Held): Promise<Outcome["result"]> {
    const { images, blobs, capacity } = this.#options;
    const { project, domain } = launch;
    try {
      await capacity.resume(attemptId(launch));
      const inputs = await fromPayload(launch.inputs, blobs);
      const order = {
        project,
        domain,
        spec: textOf(inputs, "spec"),
        context: textOf(inputs, "context"),
        name: textOf(inputs, "target_image"),
      };
      const print = (text: string): void => this.#log(launch, text);
      const image = await images.build(order, { print, signal: controller.signal });
      const outputs: Literals = { [soleOutput]: { type: "string", value: image } };
      return { type: "succeeded", outputs: await toPayload(outputs, blobs) };
    } catch (error) {
      // Called off by the closing of all images, and by nobody who asked: it runs again.
      if (isGodwitError(error) && error.code === "aborted") return { type: "interrupted" };
      return { type: "failed", error: failure(error) };
    }
  }

  #log(launch: Launch, text: string): void {
    const atMs = this.#options.clock?.nowMs() ?? Date.now();
    this.#options.logs.append(refOf(launch), [{ atMs, stream: "stdout", text }]);
  }
}

function textOf(inputs: Literals, name: string): string {
  const literal = inputs[name];
  if (literal?.type === "string") return literal.value;
  throw new GodwitError(
    "invalid_argument",
    `The input ${name} has to be a text. Build the image with the flyte package.`,
  );
}

/** Most are what the image asks for; the disk or the machine may be at fault as well. */
function failure(error: unknown): ActionError {
  const about = { stack: null, location: null, origin: null } as const;
  if (!isGodwitError(error) || isOfSurroundings(error)) {
    const code = classOfCode(isGodwitError(error) ? error.code : "internal");
    const message = error instanceof Error ? error.message : String(error);
    return { ...about, code, message, kind: "system", recoverable: true };
  }
  const code = error.code === "invalid_argument" ? errorCodes.inputInvalid : buildFailed;
  return { ...about, code, message: error.message, kind: "user", recoverable: false };
}

const refOf = ({ run, action, attempt }: AttemptRef): AttemptRef => ({ run, action, attempt });
