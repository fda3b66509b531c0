// What has to hold before a commit: the quick things first (types, format, lint, layers), then every
// test. Stops at the first of the two that fails.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

for (const files of [["test/source", "test/layers"], []]) {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, "test.ts"), ...files], {
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}
