// What the system says about a full, read-only or broken disk, in words that say what to do.
import { GodwitError } from "../core/error.ts";

/** Runs a file operation; what the system refuses becomes a GodwitError that names the path. */
export async function translated<T>(path: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw storageError(path, error);
  }
}

/** Whatever is no error of the system comes back as it is. */
export function storageError(path: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (!(error instanceof Error) || error instanceof GodwitError || code === undefined) return error;
  const cause = { cause: error };
  switch (code) {
    case "ENOSPC":
      return new GodwitError(
        "resource_exhausted",
        `The disk is full: no space left to write ${path}. Free some space there, then try again.`,
        cause,
      );
    case "EDQUOT":
      return new GodwitError(
        "resource_exhausted",
        `Your disk quota is used up: cannot write ${path}. Free some space or raise the quota, then try again.`,
        cause,
      );
    case "EMFILE":
    case "ENFILE":
      return new GodwitError(
        "resource_exhausted",
        `Too many open files: cannot open ${path}. Raise the limit (ulimit -n), then try again.`,
        cause,
      );
    case "EROFS":
      return new GodwitError(
        "failed_precondition",
        `${path} is on a read-only file system. Choose a directory that can be written to.`,
        cause,
      );
    case "EACCES":
    case "EPERM":
      return new GodwitError(
        "permission_denied",
        `You have no permission for ${path} (${code}). Check its owner and mode.`,
        cause,
      );
    case "ENOENT":
      return new GodwitError("not_found", `${path} is not there; it may have been removed in the meantime.`, cause);
    case "EIO":
      return new GodwitError("data_loss", `The disk reports an input/output error at ${path}. Check the disk.`, cause);
    default:
      return new GodwitError("failed_precondition", `Cannot use ${path}: ${error.message}.`, cause);
  }
}
