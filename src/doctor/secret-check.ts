// Can the secrets in the database be read? Their key lies beside it, and is easily left behind when a data
// directory is restored or copied.
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Examination, type Finding, good, note, problem } from "./finding.ts";

const check = "secrets";

/** `total`: of the secrets in the database. */
export function checkSecrets({ dataDir }: Pick<Examination, "dataDir">, total: number): readonly Finding[] {
  if (total === 0) return [];
  const path = join(dataDir, "secrets.key");
  const wrong = wrongKey(path);
  const some = `${total} ${total === 1 ? "secret" : "secrets"}`;
  if (wrong !== null) {
    const next = "Restore it from a backup, or set the secrets anew: until then tasks that need them fail.";
    return [problem(check, `${some} cannot be decrypted: the key ${path} ${wrong}.`, next)];
  }
  // Windows has no such modes.
  const isOpen = process.platform !== "win32" && (statSync(path).mode & 0o077) !== 0;
  if (isOpen) return [note(check, `The key ${path} can be read by others than its owner.`, `chmod 600 ${path}`)];
  return [good(check, `the key of ${some} is there`)];
}

function wrongKey(path: string): string | null {
  try {
    return /^[0-9a-f]{64}\s*$/.test(readFileSync(path, "utf8")) ? null : "is none";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "is missing" : "cannot be read";
  }
}
