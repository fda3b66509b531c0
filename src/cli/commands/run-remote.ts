// `godwit run --remote`: a task of a file, whose code goes along, or a deployed one; shown as if it ran here.
import { randomUUID } from "node:crypto";
import type { Startable, StartOptions } from "../../client/client.ts";
import type { TaskSpec } from "../../core/task.ts";
import type { Literals } from "../../core/value.ts";
import { findTask } from "../code.ts";
import { usageError } from "../error-report.ts";
import { notifyRule } from "../notify-rules.ts";
import { projectDirOf } from "../place.ts";
import { clientFor, sessionWith } from "../remote-session.ts";
import { runArguments } from "../run-arguments.ts";
import { carry, type Started } from "../running.ts";
import { withLocal, withSendable } from "../sent-code.ts";
import type { Session } from "../session.ts";
import type { Io } from "../terminal.ts";
import type { RerunOptions } from "./resume.ts";
import { givenInputs, inputsError, type RunOptions, sourceOf } from "./run.ts";

export function runRemote(
  rest: readonly string[],
  options: RunOptions,
  ownFlags: readonly string[],
  io: Io,
): Promise<number> {
  return carry(io, options, async (opened): Promise<Started> => {
    const { client, scope } = clientFor(options, io);
    const start = async (startable: Startable, inputs: Literals, near: Session): Promise<Started> => {
      const run = await client.start(startable, inputs, near.godwit.blobs, startOptions(options));
      const session = sessionWith(client, scope, io);
      opened(session);
      return {
        session,
        run: await session.godwit.control.getRun(scope, run.name),
        isNew: options.name === undefined,
        currentBundle: null,
      };
    };
    const { task: deployed, version = null } = options;
    if (deployed !== undefined) {
      return withLocal(projectDirOf(io.cwd), options, io, async (near) => {
        const task = await client.task(deployed, version);
        const command = `godwit get task ${deployed} --remote${version === null ? "" : ` --version ${version}`}`;
        const inputs = await inputsFor(near, task.spec, rest, options, ownFlags, command);
        return start({ type: "deployed", task }, inputs, near);
      });
    }
    const { file, task, inputs: tokens } = runArguments(rest);
    return withSendable(sourceOf(file, io), options, io, async ({ session: near, manifest, send }) => {
      const spec = findTask(manifest, task);
      const command = `godwit run ${file} ${spec.shortName} --help`;
      const inputs = await inputsFor(near, spec, tokens, options, ownFlags, command);
      const issues = await near.godwit.check(manifest.bundle, "", spec.name, inputs);
      if (issues.length > 0) throw inputsError(spec, issues, command);
      return start({ type: "sent", spec, code: await send(client) }, inputs, near);
    });
  });
}

export function rerunRemote(old: string, options: RerunOptions, io: Io): Promise<number> {
  return carry(io, options, async (opened): Promise<Started> => {
    const { client, scope } = clientFor(options, io);
    const session = sessionWith(client, scope, io);
    opened(session);
    const before = await session.godwit.control.getRun(scope, old);
    const wanted: StartOptions = {
      ...startOptions(options),
      related: { run: old, recovers: options.recover === true },
    };
    const start = async (code?: Startable) => client.rerun(old, { ...wanted, ...(code === undefined ? {} : { code }) });
    const { file } = options;
    const run =
      file === undefined
        ? await start()
        : await withSendable(sourceOf(file, io), options, io, async ({ manifest, send }) =>
            start({ type: "sent", spec: findTask(manifest, before.task), code: await send(client) }),
          );
    return { session, run: await session.godwit.control.getRun(scope, run.name), isNew: true, currentBundle: null };
  });
}

async function inputsFor(
  { godwit, io }: Session,
  spec: TaskSpec,
  tokens: readonly string[],
  options: RunOptions,
  ownFlags: readonly string[],
  command: string,
): Promise<Literals> {
  const [word] = tokens;
  if (word !== undefined && !word.startsWith("-"))
    throw usageError(`"${word}" is neither a flag nor its value: inputs are flags, such as --${word} VALUE.`);
  return givenInputs({ godwit, io, spec, command }, tokens, options, ownFlags);
}

type Wanted = Pick<RunOptions, "name" | "overwriteCache" | "maxConcurrency" | "priority" | "notify">;

function startOptions({ name, overwriteCache, maxConcurrency, priority, notify }: Wanted): StartOptions {
  // Rather than a run that is not what was asked for.
  if (priority !== undefined)
    throw usageError("A server is not told of priorities: give the task one, and leave out --priority.");
  return {
    name: name ?? `r${randomUUID().replaceAll("-", "").slice(0, 12)}`,
    ...(overwriteCache === undefined ? {} : { overwriteCache }),
    ...(maxConcurrency === undefined ? {} : { maxConcurrency }),
    ...(notify === undefined ? {} : { notify: notify.map(notifyRule) }),
  };
}
