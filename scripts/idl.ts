// Compiles the Flyte protocol to build/idl, where `#idl/…` is found and whence it is published. The npm package has TypeScript alone, which
// Node refuses to strip below node_modules. Does nothing if that has been done for the installed version.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const made = join(root, "build/idl");
const stamp = join(made, "version.txt");

/** Throws if the compiler does. */
export function compileIdl(): void {
  const manifest = readFileSync(join(root, "node_modules/@flyteorg/flyteidl2/package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { readonly version: string };
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === version) return;
  rmSync(made, { recursive: true, force: true });
  const compiler = spawnSync(join(root, "node_modules/.bin/tsc"), ["--project", "tsconfig.idl.json"], {
    cwd: root,
    stdio: "inherit",
  });
  if (compiler.status !== 0) throw new Error("The Flyte protocol was not compiled; see the compiler's words above.");
  mkdirSync(made, { recursive: true });
  writeFileSync(stamp, version);
}

if (import.meta.main) compileIdl();
