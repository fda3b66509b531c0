// Compiles src to dist: what the npm package contains, plain JavaScript with its types. A clone does
// not need it, since Node runs the sources as they are.
import { spawnSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { compileIdl } from "./idl.ts";

const root = join(import.meta.dirname, "..");
compileIdl();
// Files that have been moved or deleted must not stay in the package.
rmSync(join(root, "dist"), { recursive: true, force: true });
const compiler = spawnSync(join(root, "node_modules/.bin/tsc"), ["--project", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
// What Python runs of ours.
const python = "executor/python";
cpSync(join(root, "src", python), join(root, "dist", python), {
  recursive: true,
  filter: (path) => !path.endsWith("__pycache__"),
});
process.exit(compiler.status ?? 1);
