// Makes build/python, the environment of Python in which tests run Flyte's own SDK, if there is a Python to
// make it with. Does nothing if that has been done for the same requirements.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const made = join(root, "build/python");
const stamp = join(made, "requirements.txt");
const requirements = join(root, "test/python-requirements.txt");

/** What Flyte's SDK needs. */
const oldest = "3.10";
const candidates = ["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"];

/** False: this machine has no Python that is new enough. Throws if the packages cannot be installed. */
export function makePython(): boolean {
  const wanted = readFileSync(requirements, "utf8");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return true;
  const python = candidates.find(isUsable);
  if (python === undefined) return false;
  rmSync(made, { recursive: true, force: true });
  run(python, ["-m", "venv", made]);
  run(join(made, "bin/python"), [
    "-m",
    "pip",
    "install",
    "--disable-pip-version-check",
    "--quiet",
    "--requirement",
    requirements,
  ]);
  writeFileSync(stamp, wanted);
  return true;
}

/** New enough, and able to make environments: Debian leaves that out of its own. */
function isUsable(python: string): boolean {
  const [major, minor] = oldest.split(".");
  const check = `import sys, venv, ensurepip; sys.exit(sys.version_info < (${major}, ${minor}))`;
  return spawnSync(python, ["-c", check], { stdio: "ignore" }).status === 0;
}

function run(command: string, args: readonly string[]): void {
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed; see its words above.`);
}

if (import.meta.main && !makePython())
  console.log(`There is no Python ${oldest} or newer with venv here: tests of Python tasks will be skipped.`);
