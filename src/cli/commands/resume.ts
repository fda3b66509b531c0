// `godwit resume` and `godwit rerun`: an old run goes on, or is done anew.

import { existsSync } from "node:fs";
import type { RunView } from "../../control/control.ts";
import type { Manifest } from "../../core/task.ts";
import { loadCode } from "../code.ts";
import { usageError } from "../error-report.ts";
import { existingDataDir, scopeOf } from "../place.ts";
import { carry, type DisplayOptions, engineOf, type Started, type StartOptions, startOf } from "../running.ts";
import { openSession, type Session, type SessionConfig } from "../session.ts";
import type { Io } from "../terminal.ts";

export type RerunOptions = DisplayOptions &
  StartOptions & {
    readonly name?: string;
    readonly recover?: boolean;
    readonly recordedCode?: boolean;
    readonly file?: string;
    readonly overwriteCache?: boolean;
  };

export async function resume(name: string, options: DisplayOptions, io: Io): Promise<number> {
  return carry(io, options, async (opened): Promise<Started> => {
    const session = await openSession(existing(options, io));
    opened(session);
    const run = await session.godwit.control.getRun(session.scope, name);
    await refuseServers(session, name);
    return { session, run, isNew: false, currentBundle: null };
  });
}

export async function rerun(name: string, options: RerunOptions, io: Io): Promise<number> {
  return carry(io, options, async (opened): Promise<Started> => {
    const session = await openSession(existing(options, io));
    opened(session);
    const { control } = session.godwit;
    const before = await control.getRun(session.scope, name);
    await refuseServers(session, name);
    const { action: root } = await control.getAction(session.scope, name, "a0");
    const manifest =
      options.recordedCode === true ? await control.manifest(before.bundle) : await currentCode(before, session);
    if (!manifest.tasks.some((task) => task.name === before.task)) {
      throw usageError(
        `The task ${before.task} of the run ${name} is not in ${before.source.file} any more. Run the recorded code with: godwit rerun ${name} --recorded-code`,
      );
    }
    const inputs = await control.literals(root.inputs);
    const issues = await session.godwit.check(manifest.bundle, before.source.projectDir, before.task, inputs);
    if (issues.length > 0) {
      const list = issues.map((issue) => `  ${issue}`).join("\n");
      throw usageError(
        `The inputs of ${name} do not fit the task as it is now:\n${list}\nRun the recorded code with --recorded-code, or start a new run with other inputs.`,
      );
    }
    const { run, created } = await control.createRun(session.scope, {
      name: options.name ?? null,
      manifest,
      task: before.task,
      inputs,
      source: before.source,
      overwriteCache: options.overwriteCache === true,
      ...startOf(options),
      recovers: options.recover === true ? before.name : null,
    });
    return { session, run, isNew: created, currentBundle: manifest.bundle };
  });
}

/** Tasks of other SDKs need a server: they call it back. Taken over here, their run would wait for ever. */
async function refuseServers({ godwit, scope }: Session, name: string): Promise<void> {
  const { spec } = await godwit.control.getAction(scope, name, "a0");
  if (spec === null || spec.target.type === "typescript" || spec.target.type === "shell") return;
  throw usageError(
    `The run ${name} was started on a server, and its task ${spec.name} runs only there. It goes on by itself once one serves this data directory: godwit dev, or godwit server.`,
  );
}

function existing(options: DisplayOptions, io: Io): SessionConfig {
  return {
    dataDir: existingDataDir(options, io),
    scope: scopeOf(options, io),
    io,
    isWarm: true,
    engine: engineOf(options),
  };
}

async function currentCode(run: RunView, session: Session): Promise<Manifest> {
  if (!existsSync(run.source.file)) {
    throw usageError(
      `The file ${run.source.file} of the run ${run.name} is gone. Run the recorded code with: godwit rerun ${run.name} --recorded-code`,
    );
  }
  return (await loadCode(run.source, Promise.resolve(session), session.dataDir)).manifest;
}
