// Wires Flyte's protocol to one Godwit: the files that its clients and tasks read and write, the executors of its
// tasks, and its services. What handles messages of the protocol is loaded when it is first needed.
import { join } from "node:path";
import type { ConnectRouter } from "@connectrpc/connect";
import type { Control, Scope } from "./control/control.ts";
import { isGodwitError } from "./core/error.ts";
import { shortHash } from "./core/hash.ts";
import type { AttemptRef, Launch } from "./core/messages.ts";
import { specDigest } from "./core/task.ts";
import type { Executor } from "./executor/executor.ts";
import type { LoneExecutor } from "./executor/lone-attempts.ts";
import { pythonExecutor } from "./executor/python.ts";
import { sleepExecutor } from "./executor/sleep.ts";
import type { ExecutorParts, Godwit } from "./godwit.ts";
import { buildImagePlace, buildImageTask } from "./images/build-task.ts";
import { imageExecutor } from "./images/image-executor.ts";
import { openImages } from "./images/images.ts";
import type { ImageSettings } from "./settings/settings.ts";
import { openStorage, type Storage } from "./storage/storage.ts";
import type { WireParts } from "./wire/wire.ts";

export type FlyteConfig = {
  readonly dataDir: string;
  /** `host:port` at which tasks on this machine reach the server; asked for at each attempt. */
  readonly endpoint: () => string;
  readonly images: ImageSettings;
  /** What interpreters of Python say that belongs to no attempt. */
  readonly onText: (text: string) => void;
};

/**
 * Deploys what clients expect to be there without anybody having deployed it. Its version is its content, so
 * that a newer Godwit's is another one. The project is archived: there is nothing in it for people.
 */
export async function deployBuiltIns({ control }: Pick<Godwit, "control">): Promise<void> {
  const spec = buildImageTask();
  const scope: Scope = { ...buildImagePlace, caller: "godwit" };
  const version = shortHash(specDigest(spec));
  try {
    await control.tasks.get(scope, spec.name, version);
  } catch (error) {
    if (!isGodwitError(error) || error.code !== "not_found") throw error;
    await makeProject(control, buildImagePlace.project);
    await control.tasks.deploy(scope, { version, spec });
  }
}

async function makeProject(control: Control, id: string): Promise<void> {
  try {
    await control.projects.create({ id, description: "Godwit's own." });
  } catch (error) {
    if (!isGodwitError(error) || error.code !== "already_exists") throw error;
  }
  await control.projects.update(id, { state: "archived" });
}

/** Half of it is there before Godwit is, and half after it. */
export type Flyte = {
  /** For `openGodwit`. */
  readonly executors: (parts: ExecutorParts) => Promise<readonly Executor[]>;
  readonly setWaiting: (attempt: AttemptRef, isWaiting: boolean) => void;
  readonly storage: () => Storage;
  readonly routes: (
    godwit: Godwit,
    parts: Pick<WireParts, "callerOf" | "links">,
  ) => Promise<(router: ConnectRouter) => void>;
};

export const storageRoot = (dataDir: string): string => join(dataDir, "storage");

export function flyte({ dataDir, endpoint, images: settings, onText }: FlyteConfig): Flyte {
  let opened: Storage | null = null;
  let python: LoneExecutor | null = null;
  const storage = (): Storage => {
    if (opened === null) throw new Error("The storage is opened with Godwit.");
    return opened;
  };
  const images = openImages({
    directory: join(dataDir, "images"),
    settings,
    env: process.env,
    read: (uri, maxBytes) => storage().read(uri, maxBytes),
  });
  return {
    executors: async ({ blobs, logs, capacity, control, clock }) => {
      opened = await openStorage({ root: storageRoot(dataDir), blobs });
      const tmpDir = join(dataDir, "tmp");
      const secretValues = (launch: Launch) => secretVariables(control, launch);
      python = pythonExecutor({
        blobs,
        storage: opened,
        logs,
        calls: control,
        capacity,
        tmpDir,
        endpoint,
        environments: images,
        secretValues,
        onText,
      });
      return [
        python,
        imageExecutor({ images, blobs, logs, clock, capacity }),
        sleepExecutor({ blobs, capacity, clock }),
      ];
    },
    setWaiting: (attempt, isWaiting) => python?.setWaiting(attempt, isWaiting),
    storage,
    routes: async (godwit, { callerOf, links }) => {
      const { routes } = await import("./wire/wire.ts");
      return routes({
        control: godwit.control,
        storage: storage(),
        callerOf,
        links,
        findImage: (scope, name) => images.find(scope, name),
        adoptBundle: (digest, archive) => godwit.adoptBundle(digest, archive),
      });
    },
  };
}

async function secretVariables({ secrets }: Control, { project, domain, spec }: Launch) {
  const { secretRequestsOf } = await import("./idl/secret-requests.ts");
  const requests = secretRequestsOf(spec);
  if (requests.length === 0) return {};
  const values = await secrets.values(
    { project, domain },
    requests.map(({ name }) => name),
  );
  return Object.fromEntries(
    requests.map(({ name, variable }) => [variable, new TextDecoder().decode(values.get(name) as Uint8Array)]),
  );
}
