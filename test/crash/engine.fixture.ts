// The process that is killed: makes a run that fails, then one that recovers it, and serves both to
// their ends, or goes on with what a process before it has left. Started with blob-steps.fixture.ts.
//
//   node --import blob-steps.fixture.ts engine.fixture.ts DATA_DIR SETUP_FILE
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isGodwitError } from "../../src/core/error.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { type Godwit, openGodwit } from "../../src/godwit.ts";
import type { Store } from "../../src/store/store.ts";
import { reach, reached } from "./blob-steps.fixture.ts";
import { type PointKind, pointKinds, runNames, type Setup, scope, variables } from "./points.ts";

/** What the conditions are answered with. */
const answers: { readonly [label: string]: unknown } = { number: 41, sure: true };

/** Says a point once for all that comes in one turn of the event loop (points.ts R2). */
function oncePerTurn(kind: PointKind): () => void {
  let isSaid = false;
  return () => {
    if (isSaid) return;
    isSaid = true;
    setImmediate(() => {
      isSaid = false;
    });
    reach(kind);
  };
}

function watchedStore(store: Store): Store {
  const before = oncePerTurn("commit-before");
  const after = oncePerTurn("commit-after");
  return new Proxy(store, {
    get(target, property: keyof Store) {
      const method = target[property].bind(target) as (...values: unknown[]) => Promise<unknown>;
      if (property !== "commit" && property !== "register" && property !== "forget") return method;
      return async (...values: unknown[]) => {
        before();
        const result = await method(...values);
        after();
        return result;
      };
    },
  });
}

function watchedExecutor(executor: Executor): Executor {
  return new Proxy(executor, {
    get(target, property: keyof Executor) {
      const method = target[property];
      if (property === "ensureLaunched") {
        return (launches: Parameters<Executor["ensureLaunched"]>[0]) => {
          if (launches.length > 0) reach("dispatch-before");
          target.ensureLaunched(launches);
          if (launches.length > 0) reach("dispatch-after");
        };
      }
      if (property === "takeOutcomes") {
        return (limit: number) => {
          const taken = target.takeOutcomes(limit);
          if (taken.length > 0) reach("outcome-taken");
          return taken;
        };
      }
      return typeof method === "function" ? method.bind(target) : method;
    },
  });
}

async function main(dataDir: string, setupFile: string): Promise<void> {
  const setup = JSON.parse(readFileSync(setupFile, "utf8")) as Setup;
  const godwit = await openGodwit({
    dataDir,
    workers: 2,
    wrap: { store: watchedStore, executor: watchedExecutor },
  });
  for (const [index, name] of runNames.entries()) {
    const recovers = runNames[index - 1] ?? null;
    if (recovers !== null) writeFileSync(process.env.FIXED as string, "");
    await serve(godwit, setup, name, recovers);
  }
  await godwit.close();
  const totals = Object.fromEntries(pointKinds.map((kind) => [kind, reached(kind)]));
  writeFileSync(join(process.env[variables.countDir] as string, "totals.json"), JSON.stringify(totals));
}

async function serve(godwit: Godwit, setup: Setup, name: string, recovers: string | null): Promise<void> {
  const { control } = godwit;
  const { run } = await control.createRun(scope, {
    ...setup,
    name,
    task: "every.main",
    inputs: {},
    overwriteCache: false,
    recovers,
  });
  const answering = answer(godwit, name);
  await godwit.serve(run.id);
  await answering;
}

/** Until the run has ended. */
async function answer({ control }: Godwit, name: string): Promise<void> {
  for await (const { actions } of control.watchRun(scope, name, new AbortController().signal)) {
    for (const { phase, label, name: action } of actions) {
      if (phase !== "paused") continue;
      // It may have been answered before a kill, or since this was told.
      await control.signal(scope, name, action, answers[label]).catch((error: unknown) => {
        if (!isGodwitError(error) || error.code !== "failed_precondition") throw error;
      });
    }
  }
}

const [, , dataDir, setupFile] = process.argv;
await main(dataDir as string, setupFile as string);
