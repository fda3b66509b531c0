// The key that webhooks are signed with: made once per data directory, and shown to whoever is to check.
import { randomBytes } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { GodwitError } from "../core/error.ts";

/** The key kept in that file, which is made if it is not there. `whsec_` and the base64 of 32 bytes. */
export async function signingKeyIn(file: string): Promise<string> {
  const made = `whsec_${randomBytes(32).toString("base64")}`;
  try {
    const handle = await open(file, "wx", 0o600);
    try {
      await handle.writeFile(`${made}\n`);
      await handle.sync();
      return made;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const kept = (await readFile(file, "utf8")).trim();
  // Empty: somebody was killed just when it was made, and nothing was ever signed with it.
  if (kept !== "") return kept;
  throw new GodwitError(
    "failed_precondition",
    `The signing key in ${file} is empty. Remove the file; a new one is made.`,
  );
}
