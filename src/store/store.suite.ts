// What every store must do, as tests that each database runs (store.ts R1 to R7).
import { changeSuite } from "./changes.suite.ts";
import { commitSuite } from "./commits.suite.ts";
import { listingSuite } from "./listings.suite.ts";
import { modelSuite } from "./model.suite.ts";
import { recordSuite } from "./records.suite.ts";
import { runListSuite } from "./run-list.suite.ts";
import type { OpenStore } from "./sample-rows.suite.ts";
import { schedulingSuite } from "./scheduling.suite.ts";
import { sidecarSuite } from "./sidecars.suite.ts";
import { unservedRunSuite } from "./unserved-runs.suite.ts";

/** Registers the tests. `database` names the store in their titles. */
export function storeSuite(database: string, open: OpenStore): void {
  commitSuite(database, open);
  changeSuite(database, open);
  listingSuite(database, open);
  schedulingSuite(database, open);
  sidecarSuite(database, open);
  runListSuite(database, open);
  unservedRunSuite(database, open);
  recordSuite(database, open);
  modelSuite(database, open);
}
