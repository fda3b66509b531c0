// What npm would send for the package itself.
import type { Case } from "./case.ts";

export const packageSize: Case = async (_project, { godwit, note }) => {
  if (godwit.packed === null) {
    note("godwit, package: nothing is packed with --source");
    return [];
  }
  return [{ what: "npm pack", value: godwit.packed.sizeBytes / 1_000, unit: "kB" }];
};
