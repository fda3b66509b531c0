// The code that a container task names: where it lies, and whether it is still there. The latter is told when a run is
// asked for: Flyte's client remembers for a day what it has uploaded, also when the server's data has gone since.
import { GodwitError, isGodwitError } from "../core/error.ts";
import type { TaskSpec } from "../core/task.ts";
import type { WireParts } from "./parts.ts";

/** Words of `a0` before the place of an uploaded bundle. */
const options: readonly string[] = ["--tgz", "--pkl"];

/** Null: it brings none. */
export function bundleUriOf({ target }: Pick<TaskSpec, "target">): string | null {
  if (target.type !== "container") return null;
  const at = target.args.findIndex((word) => options.includes(word));
  return at < 0 ? null : (target.args[at + 1] ?? null);
}

/** Throws `failed_precondition`. What lies elsewhere than in the storage is not looked for. */
export async function checkCode({ storage }: Pick<WireParts, "storage">, spec: TaskSpec): Promise<void> {
  const uri = bundleUriOf(spec);
  if (uri === null) return;
  try {
    await storage.openFile(uri);
  } catch (error) {
    if (!isGodwitError(error) || error.code !== "not_found") return;
    throw new GodwitError(
      "failed_precondition",
      `The code of the task "${spec.name}" is not here any more: the server's data was removed since it was uploaded. ` +
        "`flyte delete local-cache` makes the client upload it again; a deployed task has to be deployed again.",
      { cause: error },
    );
  }
}
