// Whether the code that a container task names is still there, told when its run is asked for: Flyte's client
// remembers for a day what it has uploaded, also when the server's data directory is another by then.
import { GodwitError, isGodwitError } from "../core/error.ts";
import type { TaskSpec } from "../core/task.ts";
import type { WireParts } from "./parts.ts";

/** Words of `a0` before the place of an uploaded bundle. */
const options: readonly string[] = ["--tgz", "--pkl"];

/** Throws `failed_precondition`. What lies elsewhere than in the storage is not looked for. */
export async function checkCode({ storage }: Pick<WireParts, "storage">, { name, target }: TaskSpec): Promise<void> {
  if (target.type !== "container") return;
  const at = target.args.findIndex((word) => options.includes(word));
  const uri = at < 0 ? undefined : target.args[at + 1];
  if (uri === undefined) return;
  try {
    await storage.openFile(uri);
  } catch (error) {
    if (!isGodwitError(error) || error.code !== "not_found") return;
    throw new GodwitError(
      "failed_precondition",
      `The code of the task "${name}" is not here any more: the server's data was removed since it was uploaded. ` +
        "`flyte delete local-cache` makes the client upload it again; a deployed task has to be deployed again.",
      { cause: error },
    );
  }
}
