// Runs builds of images as attempts: what pip prints is the attempt's log, what the client did wrong is its
// error, and an abort ends the build.
//
// R1  Whoever is told to stop leaves the build; it goes on for others that wait for it (builds.ts R3).
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload, toPayload } from "../blob/payload.ts";
import { type ActionError, errorCodes } from "../core/action.ts";
import type { Clock } from "../core/clock.ts";
import { GodwitError, isGodwitError, isOfSurroundings } from "../core/error.ts";
import { type Launch, type Outcome, refOf } from "../core/messages.ts";
import { type Literals, soleOutput } from "../core/value.ts";
import type { Capacity } from "../executor/capacity.ts";
import type { Executor, LogSink } from "../executor/executor.ts";
import { type LoneAttempt, loneExecutor } from "../executor/lone-attempts.ts";
import type { ImageOrder, Images } from "./images.ts";

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

export function imageExecutor(options: ImageExecutorOptions): Executor {
  const { capacity, images } = options;
  return loneExecutor(capacity, {
    accepts: ({ target }) => target.type === "image",
    begin: () => images.clean(),
    run: (attempt) => build(attempt, options),
    end: () => images.close(),
  });
}

async function build(attempt: LoneAttempt, options: ImageExecutorOptions): Promise<Outcome["result"]> {
  const { launch } = attempt;
  const controller = new AbortController();
  attempt.process = { kill: () => controller.abort() }; // R1
  try {
    const order = orderOf(launch, await fromPayload(launch.inputs, options.blobs));
    const print = printer(launch, options);
    const image = await options.images.build(order, { print, signal: controller.signal });
    const outputs: Literals = { [soleOutput]: { type: "string", value: image } };
    return { type: "succeeded", outputs: await toPayload(outputs, options.blobs) };
  } catch (error) {
    // The disk or the machine may be at fault: that is said above.
    if (!isGodwitError(error) || isOfSurroundings(error)) throw error;
    return error.code === "aborted" ? { type: "interrupted" } : { type: "failed", error: userError(error) };
  }
}

function orderOf({ project, domain }: Launch, inputs: Literals): ImageOrder {
  const [spec, context, name] = ["spec", "context", "target_image"].map((input) => textOf(inputs, input));
  return { project, domain, spec: spec ?? "", context: context ?? "", name: name ?? "" };
}

function textOf(inputs: Literals, name: string): string {
  const literal = inputs[name];
  if (literal?.type === "string") return literal.value;
  throw new GodwitError(
    "invalid_argument",
    `The input ${name} has to be a text. Build the image with the flyte package.`,
  );
}

const printer =
  (launch: Launch, { logs, clock }: ImageExecutorOptions) =>
  (text: string): void =>
    logs.append(refOf(launch), [{ atMs: clock?.nowMs() ?? Date.now(), stream: "stdout", text }]);

/** What the image asks for in vain: no retry helps. */
const userError = ({ code, message }: GodwitError): ActionError => ({
  code: code === "invalid_argument" ? errorCodes.inputInvalid : buildFailed,
  message,
  kind: "user",
  recoverable: false,
  stack: null,
  location: null,
  origin: null,
});
