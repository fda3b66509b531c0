// The worker with the SDK's attempts, on the data directory of its pool.
import { join } from "node:path";
import { openFileBlobs } from "../blob/files.ts";
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
      return program(codeLoader({ blobs, ...directories, sdkUrls: ownSdkUrls() }), blobs);
    },
    currentAttempt,
    errorOf: actionError,
  });
