// What a worker process runs. The rest is imported once Node keeps what it compiles: the next worker
// then starts in a fraction of the time.
import { enableCompileCache } from "node:module";

enableCompileCache();
const { startSdkWorker } = await import("./sdk-worker.ts");
startSdkWorker();
