// Wires Flyte's protocol to one Godwit: the files that its clients and tasks read and write, the executors of its
// tasks, and its services.
import { join } from "node:path";
import type { ConnectRouter } from "@connectrpc/connect";
import type { Executor } from "./executor/executor.ts";
import { pythonExecutor } from "./executor/python.ts";
import { operatorsPython } from "./executor/python-environments.ts";
import { sleepExecutor } from "./executor/sleep.ts";
import type { ExecutorParts, Godwit } from "./godwit.ts";
import { openStorage, type Storage } from "./storage/storage.ts";
import { routes, type WireParts } from "./wire/wire.ts";

export type FlyteConfig = {
  readonly dataDir: string;
  /** `host:port` at which tasks on this machine reach the server; asked for at each attempt. */
  readonly endpoint: () => string;
};

/** Half of it is there before Godwit is, and half after it. */
export type Flyte = {
  /** For `openGodwit`. */
  readonly executors: (parts: ExecutorParts) => Promise<readonly Executor[]>;
  readonly storage: () => Storage;
  readonly routes: (godwit: Godwit, parts: Pick<WireParts, "callerOf" | "links">) => (router: ConnectRouter) => void;
};

export const storageRoot = (dataDir: string): string => join(dataDir, "storage");

export function flyte({ dataDir, endpoint }: FlyteConfig): Flyte {
  let opened: Storage | null = null;
  const storage = (): Storage => {
    if (opened === null) throw new Error("The storage is opened with Godwit.");
    return opened;
  };
  return {
    executors: async ({ blobs, logs, capacity, control, clock }) => {
      opened = await openStorage({ root: storageRoot(dataDir), blobs });
      const tmpDir = join(dataDir, "tmp");
      const environments = operatorsPython();
      return [
        pythonExecutor({ blobs, storage: opened, logs, calls: control, capacity, tmpDir, endpoint, environments }),
        sleepExecutor({ blobs, capacity, clock }),
      ];
    },
    storage,
    routes: (godwit, { callerOf, links }) =>
      routes({
        control: godwit.control,
        storage: storage(),
        callerOf,
        links,
        adoptBundle: (digest, archive) => godwit.adoptBundle(digest, archive),
      }),
  };
}
