// A blob as a plain file under a name of its own, for programs that read files.
import { constants } from "node:fs";
import { copyFile, link } from "node:fs/promises";

/**
 * A second name for the stored, read-only file costs nothing. But root writes to read-only files, and
 * other disks cannot share one: there it is a copy.
 */
export async function placeFile(source: string, target: string): Promise<void> {
  if (process.getuid?.() !== 0) {
    try {
      return await link(source, target);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "EXDEV" && code !== "EPERM" && code !== "EMLINK" && code !== "ENOTSUP") throw error;
    }
  }
  await copyFile(source, target, constants.COPYFILE_FICLONE);
}

/** Whether a file can bear the name, in any directory. */
export const isFileName = (name: string): boolean =>
  name !== "" && name !== "." && name !== ".." && !/[/\0]/.test(name) && Buffer.byteLength(name) <= 200;
