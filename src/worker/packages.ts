// The packages that a code bundle was made with, against those that are installed now. A run goes on
// with the code that it began with, or not at all: results of other code would be cached, and found
// again, as results of this one (design: the cache never lies).
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ModuleGraph } from "../core/code-graph.ts";
import { GodwitError } from "../core/error.ts";
import { packageName } from "../sdk/bundle-error.ts";

/** Rejects with `failed_precondition` if another version of a package is installed than the bundle was made with. */
export async function checkPackages(graph: ModuleGraph): Promise<void> {
  const bare = Object.entries(graph.importers).filter(([specifier]) => /^[^./#]/.test(specifier));
  const checked = await Promise.all(
    bare.map(async ([specifier, importer]) => {
      const name = packageName(specifier);
      // Godwit itself may be upgraded under a run: its data directory says whether it still understands it.
      if (name === "godwit") return [];
      const then = graph.packages[name];
      const now = await installedVersion(name, dirname(join(graph.projectDir, importer)));
      return now === null || then === undefined || then.split(", ").includes(now)
        ? []
        : [`${name} ${then} (now ${now})`];
    }),
  );
  const changed = [...new Set(checked.flat())];
  if (changed.length === 0) return;
  throw new GodwitError(
    "failed_precondition",
    `This code was bundled with other versions of its packages: ${changed.join(", ")}. Install those again to go on with this run, ` +
      "or start another with the present ones: `godwit rerun RUN --recover` keeps what has succeeded.",
  );
}

/** As Node finds it from a directory; null if it is not there, which the import itself will tell. */
async function installedVersion(name: string, directory: string): Promise<string | null> {
  const text = await readFile(join(directory, "node_modules", name, "package.json"), "utf8").catch(() => null);
  if (text !== null) return String((JSON.parse(text) as { readonly version?: unknown }).version ?? "without version");
  return dirname(directory) === directory ? null : installedVersion(name, dirname(directory));
}
