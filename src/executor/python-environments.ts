// Which Python runs a task: the one that the operator named, or that was built for the task's image.
//
// R1  An interpreter is used only after it has said that it has Flyte's SDK. One that has not is asked again
//     the next time: somebody may have installed it meanwhile.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { GodwitError } from "../core/error.ts";

export type PythonEnvironment = {
  /** The interpreter, by its full path. */
  readonly python: string;
  /** Where its programs are, `a0` among them. */
  readonly bin: string;
  readonly flyteVersion: string;
};

/** What an image stands for. */
export type ImageGround = {
  readonly python: string;
  /** The image's own, under the task's. */
  readonly env?: { readonly [name: string]: string };
  /** A directory whose content belongs into the attempt's; it is not to be changed. Null: there is none. */
  readonly workdir?: string | null;
};

/** All of it. */
export type PythonGround = PythonEnvironment & Required<ImageGround>;

/** Says what images stand for. */
export type Environments = { resolve(image: string): Promise<ImageGround> };

/** An interpreter that does not answer for so long is none. */
const examineMs = 60_000;

const examination = `
import importlib.metadata, json, os, sys, sysconfig
try:
    version = importlib.metadata.version("flyte")
except importlib.metadata.PackageNotFoundError:
    version = None
scripts = sysconfig.get_path("scripts")
if not os.path.exists(os.path.join(scripts, "a0")):
    scripts = os.path.dirname(sys.executable)
hasEntry = os.path.exists(os.path.join(scripts, "a0"))
print(json.dumps({"python": sys.executable, "bin": scripts, "flyteVersion": version, "hasEntry": hasEntry}))
`;

export class PythonEnvironments {
  readonly #environments: Environments;
  readonly #known = new Map<string, Promise<PythonEnvironment>>();

  constructor(environments: Environments) {
    this.#environments = environments;
  }

  /** R1. Throws `failed_precondition` with what to do. */
  async resolve(image: string): Promise<PythonGround> {
    const { python, env = {}, workdir = null } = await this.#environments.resolve(image);
    let known = this.#known.get(python);
    if (known === undefined) {
      known = examine(python);
      known.catch(() => this.#known.delete(python));
      this.#known.set(python, known);
    }
    return { ...(await known), env, workdir };
  }
}

async function examine(python: string): Promise<PythonEnvironment> {
  let text: string;
  try {
    const { stdout } = await promisify(execFile)(python, ["-I", "-c", examination], { timeout: examineMs });
    text = stdout;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such program" : message.trim();
    throw new GodwitError("failed_precondition", `Python tasks cannot run with ${python}: ${why}. ${howTo}`, {
      cause: error,
    });
  }
  const found = JSON.parse(text) as PythonEnvironment & {
    readonly flyteVersion: string | null;
    readonly hasEntry: boolean;
  };
  if (found.flyteVersion === null || !found.hasEntry)
    throw new GodwitError(
      "failed_precondition",
      `Python tasks cannot run with ${found.python}: Flyte's SDK is not installed there. ${howTo}`,
    );
  return { python: found.python, bin: found.bin, flyteVersion: found.flyteVersion };
}

const howTo =
  "Make an environment that has what your tasks import (python3 -m venv .venv && .venv/bin/pip install flyte), and name it to the server: GODWIT_PYTHON=.venv/bin/python.";
