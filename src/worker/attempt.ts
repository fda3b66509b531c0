// Runs one attempt of a TypeScript task: decode, check, run the function, check, encode. What goes
// wrong in the user's code or values is an outcome; what goes wrong around it is thrown.
import type { BlobStore } from "../blob/blob.ts";
import { fromPayload, toPayload } from "../blob/payload.ts";
import { type ActionError, errorCodes } from "../core/action.ts";
import { isGodwitError } from "../core/error.ts";
import type { AttemptState, Launch, LogLine, Outcome, TaskCalls } from "../core/messages.ts";
import { CallRefused } from "../sdk/call-refused.ts";
import type { Context } from "../sdk/context.ts";
import { runAs } from "../sdk/current.ts";
import type { Definition } from "../sdk/definition.ts";
import { actionError, permanentError } from "../sdk/errors.ts";
import type { Tasks } from "../sdk/registry.ts";
import { Session, type SessionOptions, type Stopping } from "../sdk/session.ts";
import { issueText, validInput, validOutput } from "../sdk/validation.ts";
import { AttemptContext } from "./attempt-context.ts";
import { provideVariables } from "./variables.ts";

export type AttemptHost = {
  readonly calls: TaskCalls;
  readonly blobs: BlobStore;
  load(bundle: string, projectDir: string): Tasks | Promise<Tasks>;
  readonly onState: (state: AttemptState) => void;
  /** Calls back when code that had to be loaded is there. */
  readonly onLoaded: () => void;
  /** Calls back soon, when whatever is called at once has been called. */
  readonly atTurnEnd: (work: () => void) => void;
  log(line: LogLine): void;
  nowMs(): number;
  readonly imported?: SessionOptions["imported"];
};

type Result = Outcome["result"];

export async function runAttempt(launch: Launch, host: AttemptHost, stopping: Stopping): Promise<Outcome> {
  const outcome = (result: Result): Outcome => ({
    run: launch.run,
    action: launch.action,
    attempt: launch.attempt,
    result,
  });
  let definition: Definition | undefined;
  try {
    definition = (await tasksOf(launch, host)).get(launch.spec.name);
  } catch (error) {
    return outcome(failed({ ...actionError(error), code: errorCodes.codeUnloadable, recoverable: false }));
  }
  if (definition?.run == null) {
    return outcome(
      failed(
        permanentError(
          "codeUnloadable",
          `The code bundle of this run has no task "${launch.spec.name}" that a worker can run.`,
        ),
      ),
    );
  }
  const session = new Session({
    launch,
    calls: host.calls,
    blobs: host.blobs,
    stopping,
    onState: host.onState,
    atTurnEnd: host.atTurnEnd,
    ...(host.imported === undefined ? {} : { imported: host.imported }),
  });
  try {
    return outcome(await runFunction(definition, session, host));
  } finally {
    session.close();
  }
}

async function tasksOf({ bundle, projectDir }: Launch, host: AttemptHost): Promise<Tasks> {
  const loading = host.load(bundle, projectDir);
  const tasks = await loading;
  if (loading instanceof Promise) host.onLoaded();
  return tasks;
}

async function runFunction(definition: Definition, session: Session, host: AttemptHost): Promise<Result> {
  const context = new AttemptContext(session, host);
  let input: unknown;
  try {
    const literals = await fromPayload(session.launch.inputs, session.blobs);
    const decoded = await session.decoded(literals, (given) => definition.input.decode(given, session.blobs));
    input = await validInput(definition, decoded);
  } catch (error) {
    return failed(invalid("inputInvalid", error));
  }
  provideVariables(session);
  let result: Result;
  try {
    const output = await runAs({ session, context, trace: null }, () => definition.run?.(input, context));
    warnOfPending(session, context);
    result = await encodeOutput(definition, session, output);
  } catch (error) {
    result = failed(error instanceof CallRefused ? error.error : actionError(error));
  }
  if (!context.isSettled) await context.settle();
  return result;
}

async function encodeOutput(definition: Definition, session: Session, output: unknown): Promise<Result> {
  try {
    const literals = await definition.output.encode(await validOutput(definition, output), session.blobs);
    return { type: "succeeded", outputs: await toPayload(literals, session.blobs) };
  } catch (error) {
    return failed(invalid("outputInvalid", error));
  }
}

const failed = (error: ActionError): Result => ({ type: "failed", error });

/** A value that does not fit its type stays so on every try; a full disk does not. */
function invalid(code: "inputInvalid" | "outputInvalid", error: unknown): ActionError {
  if (isGodwitError(error) && error.code === "invalid_argument") return permanentError(code, error.message);
  return actionError(error);
}

/** A call that nobody awaited is ended together with its parent; say so, for it is mostly a forgotten await. */
function warnOfPending(session: Session, context: Context): void {
  if (!session.hasUnended) return;
  const calls = session.unended();
  context.log.warn(
    `${callCount(calls.length)} had not ended when ${session.launch.spec.name} returned (${calls[0]} for one) and will be aborted. Is an await missing?`,
  );
}

const callCount = (count: number): string => (count === 1 ? "1 call" : `${count} calls`);

/** Whether inputs fit the task's own schema, as lines for people; empty if they do. */
export async function checkInputs(
  definition: Definition,
  inputs: Launch["inputs"],
  blobs: BlobStore,
): Promise<readonly string[]> {
  const value = await definition.input.decode(await fromPayload(inputs, blobs), blobs);
  const checked = await definition.input.validate(value);
  return checked.type === "valid" ? [] : issueText(definition.fullName, "input", checked.issues).split("\n");
}
