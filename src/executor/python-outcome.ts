// What became of a container task's attempt, by the files that it left.
//
// R1  An error file is a failure, whatever the exit code: Flyte's SDK exits with 0 after an exception of the user.
// R2  Success is an exit code of 0 with outputs: a process that was cut off may have written half of them.
// R3  A file that the task has made in its working directory, or elsewhere on this machine, stays: it is taken to
//     the attempt's raw data before the directory goes.
import type { BlobStore } from "../blob/blob.ts";
import { toPayload } from "../blob/payload.ts";
import { errorCodes } from "../core/action.ts";
import { isGodwitError } from "../core/error.ts";
import type { Launch, Outcome } from "../core/messages.ts";
import type { Literals } from "../core/value.ts";
import { containerErrorOf } from "../idl/error-message.ts";
import { outputsOf } from "../idl/task-files.ts";
import type { AttemptPaths, Storage } from "../storage/storage.ts";
import type { Tails } from "./capture.ts";
import type { ProcessExit } from "./guard.ts";
import { exitMessage, userFailure } from "./process-end.ts";

/** Values beyond this belong in files; as inputs of the next task Flyte's SDK itself takes 10 MB. */
const maxOutputsBytes = 32 * 1024 * 1024;
/** Of an exception with its traceback. */
const maxErrorBytes = 4 * 1024 * 1024;

export type Ended = {
  readonly launch: Launch;
  readonly paths: AttemptPaths;
  readonly exit: ProcessExit;
  readonly tails: Tails;
};

export async function outcomeOf(
  { launch, paths, exit, tails }: Ended,
  { storage, blobs }: { readonly storage: Storage; readonly blobs: BlobStore },
): Promise<Outcome["result"]> {
  const error = await storage.readOptional(paths.error, maxErrorBytes);
  if (error !== null) return { type: "failed", error: containerErrorOf(error) };
  const failed = (code: string, message: string, recoverable = true): Outcome["result"] => ({
    type: "failed",
    error: userFailure(launch, code, message, recoverable),
  });
  if (exit.code !== 0) return failed(errorCodes.commandFailed, exitMessage("The task's process", exit, tails));
  const outputs = await storage.readOptional(paths.outputs, maxOutputsBytes).catch((cause: unknown) => {
    if (isGodwitError(cause) && cause.code === "resource_exhausted") return cause;
    throw cause;
  });
  if (outputs instanceof Error)
    return failed(
      errorCodes.outputInvalid,
      `The task's outputs are too large: ${outputs.message} Write large values to a File, a Dir or a DataFrame, and return that.`,
      false,
    );
  if (outputs === null)
    return failed(
      errorCodes.outputInvalid,
      `The task's process ended without an error and without outputs (${paths.outputs} is not there). ${exitMessage("It", exit, tails)}`,
    );
  try {
    const literals = await keptOutputs(launch, paths, outputsOf(outputs, launch.spec.interface), storage);
    return { type: "succeeded", outputs: await toPayload(literals, blobs) };
  } catch (cause) {
    if (!isGodwitError(cause) || cause.code !== "data_loss") throw cause;
    return failed(errorCodes.outputInvalid, cause.message);
  }
}

/** R3. */
async function keptOutputs(
  { project, domain, runName, action, attempt, spec }: Launch,
  { raw }: AttemptPaths,
  literals: Literals,
  storage: Storage,
): Promise<Literals> {
  const kept = await storage.keepLiterals(literals, raw);
  if (kept !== literals)
    await storage.writeOutputs({ project, domain, run: runName, action, attempt }, kept, spec.interface);
  return kept;
}
