// The worker with the SDK's attempts, on the data directory of its pool.
import { join } from "node:path";
import { openFileBlobs } from "../blob/files.ts";
import type { Literals } from "../core/value.ts";
import { currentAttempt } from "../sdk/current.ts";
import { actionError } from "../sdk/errors.ts";
import { codeLoader, ownSdkUrls } from "./code.ts";
import { program } from "./program.ts";
import { startWorker } from "./worker.ts";

/** Takes over this process. */
export const startSdkWorker = (): void =>
  startWorker({
    async open(dataDir) {
      const blobs = await openFileBlobs(join(dataDir, "blobs"));
      const directories = { bundlesDir: join(dataDir, "bundles"), tmpDir: join(dataDir, "tmp") };
      const loader = codeLoader({ blobs, ...directories, sdkUrls: ownSdkUrls() });
      // Loaded by the first value that needs it: few runs have tasks of other SDKs.
      const imported = async (literals: Literals): Promise<Literals> => {
        const { importedLiterals } = await import("../storage/imports.ts");
        return importedLiterals(literals, { blobs, root: join(dataDir, "storage") });
      };
      return program(loader, blobs, imported);
    },
    currentAttempt,
    errorOf: actionError,
  });
