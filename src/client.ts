// `import … from "godwit/client"`: a program that starts, watches and ends runs on a server, with the types of its
// own tasks.
//
//   const client = connect({ endpoint: "localhost:8090" });
//   const run = await client.run(main, { depths: [2, 4] });
//   for await (const { run: { phase } } of run.watch()) console.log(phase);
//   const { best } = await run.outputs();
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { BlobStore } from "./blob/blob.ts";
import { openFileBlobs } from "./blob/files.ts";
import {
  Client,
  type ConnectOptions,
  type DeployedSummary,
  type RemoteAutomation,
  type SentCode,
  type Startable,
  type StartOptions,
} from "./client/client.ts";
import { literalsOfJson } from "./client/json-inputs.ts";
import { RunHandle } from "./client/run-handle.ts";
import { inBundle } from "./core/code-graph.ts";
import { GodwitError } from "./core/error.ts";
import type { Literals } from "./core/value.ts";
import { bundleFile, type CodeBundle, storeBundle } from "./sdk/bundle.ts";
import type { InferInput, InferOutput, Schema } from "./sdk/schema.ts";
import type { Task } from "./sdk/task.ts";
import { validInput } from "./sdk/validation.ts";

export type {
  BackfillPeriod,
  BackfillState,
  ConnectOptions,
  NotificationState,
  RemoteAutomation,
  RevisionSummary,
  StartOptions,
  TriggerName,
  TriggerState,
  TriggerTick,
} from "./client/client.ts";
export type { RunUpdate } from "./client/remote-run.ts";
export type { RunHandle } from "./client/run-handle.ts";
export { GodwitError } from "./core/error.ts";

type Arguments<I extends Schema | undefined> = I extends Schema ? InferInput<I> : Record<never, never>;
type Result<O extends Schema | undefined> = O extends Schema ? InferOutput<O> : undefined;

export interface GodwitClient {
  /** Sends the task's code, once, and starts it. The task is one that this program imports from the file that defines it. */
  run<I extends Schema | undefined, O extends Schema | undefined>(
    task: Task<I, O>,
    input: Arguments<I>,
    options?: StartOptions,
  ): Promise<RunHandle<Result<O>>>;
  /** Starts a deployed task by its full name; inputs and outputs are plain JSON. */
  run(
    task: string,
    input: { readonly [name: string]: unknown },
    options?: StartOptions & { readonly version?: string },
  ): Promise<RunHandle<{ readonly [name: string]: unknown }>>;
  /** A run that has been started, by its name; outputs are plain JSON. */
  get(name: string): RunHandle<{ readonly [name: string]: unknown }>;
  /** All tasks of a file. Default version: made of the content. Resolves with what is deployed then. */
  deploy(
    file: string,
    options?: { readonly version?: string },
  ): Promise<{ readonly version: string; readonly tasks: readonly string[] }>;
  promote(task: string, version: string, to: string): Promise<void>;
  /** One of each task: the version that was deployed last. */
  tasks(): AsyncIterable<DeployedSummary>;
  /** Triggers, backfills, and who is told of the ends of runs. */
  readonly automation: RemoteAutomation;
  /** Removes what was kept for the time of this client. */
  close(): Promise<void>;
}

/** Asks nothing yet: the first request finds out whether somebody answers. */
export function connect(options: ConnectOptions = {}): GodwitClient {
  const client = new Client(options);
  const work = new Workplace();
  const start = async (startable: Startable, inputs: Literals, more: StartOptions): Promise<string> =>
    (await client.start(startable, inputs, await work.blobs(), more)).name;
  const runTask = async (task: Task, input: unknown, more: StartOptions): Promise<RunHandle<unknown>> => {
    const { definition } = task;
    await validInput(definition, input);
    const blobs = await work.blobs();
    const inputs = await definition.input.encode(input ?? {}, blobs);
    const code = await work.sent(client, sourceOf(task));
    const name = await start({ type: "sent", spec: definition.spec(), code }, inputs, more);
    return new RunHandle(client, name, (literals) => definition.output.decode(literals, blobs));
  };
  const runNamed = async (
    name: string,
    input: object,
    { version, ...more }: StartOptions & { readonly version?: string },
  ) => {
    const task = await client.task(name, version ?? null);
    const inputs = literalsOfJson(task.spec, input as { readonly [name: string]: unknown });
    return new RunHandle(client, await start({ type: "deployed", task }, inputs, more), null);
  };
  return {
    run: ((task: Task | string, input: object, more: StartOptions = {}) =>
      typeof task === "string" ? runNamed(task, input, more) : runTask(task, input, more)) as GodwitClient["run"],
    get: (name) => new RunHandle(client, name, null),
    deploy: (file, { version } = {}) => deploy(client, file, version),
    promote: (task, version, to) => client.promote(task, version, to),
    tasks: () => deployedTasks(client),
    automation: client.automation,
    close: () => work.close(),
  };
}

/** Bundles that were sent, and files that inputs name, for the time of a client. */
class Workplace {
  readonly #codes = new Map<string, Promise<SentCode>>();
  #directory: Promise<string> | null = null;

  async blobs(): Promise<BlobStore> {
    this.#directory ??= mkdtemp(join(tmpdir(), "godwit-client-"));
    return openFileBlobs(join(await this.#directory, "blobs"));
  }

  /** Code of this program: it does not change while the program runs. */
  sent(client: Client, file: string): Promise<SentCode> {
    const sending = this.#codes.get(file) ?? bundled(file).then((bundle) => client.sendCode(bundle));
    this.#codes.set(file, sending);
    sending.catch(() => this.#codes.delete(file));
    return sending;
  }

  async close(): Promise<void> {
    if (this.#directory !== null) await rm(await this.#directory, { recursive: true, force: true });
    this.#directory = null;
  }
}

const bundled = (file: string): Promise<CodeBundle> => bundleFile(file, projectDirOf(file), { isPortable: true });

function projectDirOf(file: string): string {
  for (let at = dirname(file); dirname(at) !== at; at = dirname(at))
    if (existsSync(join(at, "package.json"))) return at;
  return dirname(file);
}

/** The file that defines it: where the call of the environment's `task` is. */
function sourceOf({ definition: { callSites, fullName, deployed } }: Task): string {
  const [site] = callSites;
  if (site !== undefined && deployed === undefined) return site.file;
  throw new GodwitError(
    "invalid_argument",
    `${fullName} is deployed, and no task of this program: start it by its name, client.run("${fullName}", …).`,
  );
}

async function deploy(client: Client, file: string, wanted: string | undefined) {
  const bundle = await bundled(file);
  // Only running the code tells what tasks it has: it is loaded once, in a process of its own.
  const { openGodwit } = await import("./godwit.ts");
  const dataDir = await mkdtemp(join(tmpdir(), "godwit-deploy-"));
  const godwit = await openGodwit({ dataDir, workers: 1 });
  try {
    const { tasks, triggers } = await godwit.describe(await storeBundle(bundle, godwit.blobs), inBundle);
    const code = await client.sendCode(bundle);
    const version = wanted ?? bundle.digest.slice(0, 12);
    for (const spec of tasks) await client.deploy(spec, code, version, triggers);
    return { version, tasks: tasks.map(({ name }) => name) };
  } finally {
    await godwit.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function* deployedTasks(client: Client): AsyncIterable<DeployedSummary> {
  let token: string | null = "";
  while (token !== null) {
    const page: Awaited<ReturnType<Client["listTasks"]>> = await client.listTasks({ limit: 1_000, token });
    yield* page.items;
    token = page.token;
  }
}
