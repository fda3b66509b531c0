// Does what a recipe's steps say, in an environment that was made for them.
import { chmod, mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ArchivedFile } from "../blob/archive.ts";
import { GodwitError } from "../core/error.ts";
import { type CommandContext, commandOutput, runCommand, shown } from "./command.ts";
import type { Environment } from "./environment.ts";
import type { Step } from "./recipe.ts";
import { imageVariables } from "./variables.ts";

export type StepPlace = {
  readonly environment: Environment;
  /** The context's files, by their paths. */
  readonly files: readonly ArchivedFile[];
  /** Where they are put if a step needs them on disk. */
  readonly contextDirectory: string;
  /** What attempts get a copy of. */
  readonly workdir: string;
  readonly aptPackages: "check" | "ignore";
  /** The program of that name, installed if need be. */
  readonly tool: (name: "uv" | "poetry") => Promise<string>;
  readonly context: CommandContext;
};

/** In their order. Says of each what it does before it does it. */
export async function takeSteps(steps: readonly Step[], place: StepPlace): Promise<void> {
  await writeFiles(place.contextDirectory, place.files);
  const variables: { [name: string]: string } = {};
  for (const [index, step] of steps.entries()) {
    place.context.print(`[${index + 1}/${steps.length}] ${titleOf(step)}`);
    await takeStep(step, place, variables);
  }
}

async function takeStep(step: Step, place: StepPlace, variables: { [name: string]: string }): Promise<void> {
  const { environment, context } = place;
  switch (step.type) {
    case "pip":
      return pip(environment, [...step.options, ...step.packages], context);
    case "requirements": {
      const path = await fileIn(place, step.file);
      // Paths in it are meant from where it is.
      return pip(environment, [...step.options, "--requirement", path], { ...context, cwd: dirname(path) });
    }
    case "wheels":
      return installWheels(step, place);
    case "uv":
      return syncUv(step, place);
    case "poetry":
      return installPoetry(step, place);
    case "apt":
      return place.aptPackages === "ignore" ? undefined : checkSystemPackages(step.packages, context);
    case "copy":
      return copy(step, place);
    case "command": {
      const cwd = join(place.workdir, step.directory);
      await mkdir(cwd, { recursive: true });
      const env = { ...context.env, ...imageVariables(variables, environment.directory, context.env) };
      return runCommand(["/bin/sh", "-eu", "-c", step.command], { ...context, cwd, env });
    }
    case "env":
      Object.assign(variables, step.variables);
      return;
  }
}

/** Quiet where nobody looks: no progress bars, no questions, no list of all that was there before. */
const pip = ({ pip: words }: Environment, args: readonly string[], context: CommandContext): Promise<void> => {
  const options = ["--no-input", "--no-color", "--disable-pip-version-check", "--progress-bar", "off"];
  const print = (line: string): void => {
    if (!line.startsWith("Requirement already satisfied")) context.print(line);
  };
  const title = `pip install ${shown(args)}`;
  return runCommand([...words, "install", ...options, ...args], { ...context, print, title });
};

/** Installs one package more into it, by pip. */
export const installPackage = (environment: Environment, name: string, context: CommandContext): Promise<void> =>
  pip(environment, [name], context);

/** First what the package needs, from the index; then the wheel itself, whatever the index has of that name. */
async function installWheels(step: Extract<Step, { readonly type: "wheels" }>, place: StepPlace): Promise<void> {
  const { environment, context } = place;
  const directory = join(place.contextDirectory, step.directory);
  const names = await readdir(directory).catch(() => []); // Said below.
  const wheels = names.filter((name) => name.endsWith(".whl"));
  if (wheels.length === 0)
    throw new GodwitError("invalid_argument", `The image's folder ${step.directory} has no wheels in it.`);
  if (step.packageName === "")
    return pip(environment, [...step.options, ...wheels.map((name) => join(directory, name))], context);
  const options = [...step.options, "--find-links", directory];
  await pip(environment, [...options, step.packageName], context);
  await pip(environment, [...options, "--no-deps", "--no-index", "--force-reinstall", step.packageName], context);
}

async function syncUv(step: Extract<Step, { readonly type: "uv" }>, place: StepPlace): Promise<void> {
  const { environment, context } = place;
  const uv = await place.tool("uv");
  const project = await projectIn(place, step.project, step.lock, "uv.lock");
  const env = { ...context.env, VIRTUAL_ENV: environment.directory, UV_PYTHON_DOWNLOADS: "never", UV_NO_PROGRESS: "1" };
  // What is installed must not point to files that go with the build.
  const options = ["--active", "--inexact", "--no-editable", ...step.options];
  await runCommand([uv, "sync", ...options, "--project", project], { ...context, cwd: project, env });
}

async function installPoetry(step: Extract<Step, { readonly type: "poetry" }>, place: StepPlace): Promise<void> {
  const { environment, context } = place;
  const poetry = await place.tool("poetry");
  const project = await projectIn(place, step.project, step.lock, "poetry.lock");
  const env = { ...context.env, VIRTUAL_ENV: environment.directory, POETRY_VIRTUALENVS_CREATE: "false" };
  const words = [poetry, "install", "--no-interaction", "--no-ansi", ...step.options];
  await runCommand(words, { ...context, cwd: project, env });
}

/** The project's directory, with its lock beside it. */
async function projectIn(place: StepPlace, project: string, lock: string | null, lockName: string): Promise<string> {
  const directory = join(place.contextDirectory, project);
  await fileIn(place, join(project, "pyproject.toml"));
  if (lock !== null && join(place.contextDirectory, lock) !== join(directory, lockName))
    await writeFile(join(directory, lockName), await readFile(await fileIn(place, lock)));
  return directory;
}

async function fileIn({ contextDirectory }: StepPlace, path: string): Promise<string> {
  const whole = join(contextDirectory, path);
  const found = await stat(whole).catch(() => null); // Said below.
  if (found?.isFile()) return whole;
  throw new GodwitError("invalid_argument", `The image's files do not have ${JSON.stringify(path)}.`);
}

/** R1 of recipe.ts: system packages are the machine's. */
async function checkSystemPackages(packages: readonly string[], context: CommandContext): Promise<void> {
  const missing: string[] = [];
  for (const name of packages) if (!(await isInstalled(name, context))) missing.push(name);
  if (missing.length === 0) return;
  throw new GodwitError(
    "failed_precondition",
    `The image wants system packages that this server's machine does not have: ${missing.join(", ")}. Have them installed there (apt-get install ${missing.join(" ")}); if the tasks do without, leave them out, or the operator sets images.aptPackages to "ignore".`,
  );
}

async function isInstalled(name: string, context: CommandContext): Promise<boolean> {
  try {
    const words = ["dpkg-query", "--show", `--showformat=\${db:Status-Abbrev}\\n`, name];
    return /^ii/m.test(await commandOutput(words, context));
  } catch (error) {
    if (context.signal.aborted) throw error;
    return false; // It does not know the package, or this machine has no dpkg.
  }
}

/** As Docker's COPY: of a directory its content; a file, if the target is a directory, into it. */
async function copy(step: Extract<Step, { readonly type: "copy" }>, place: StepPlace): Promise<void> {
  const single = place.files.find(({ path }) => path === step.from);
  const target = step.to.replace(/\/$/, "");
  if (single !== undefined) {
    const isDirectory = step.to === "" || step.to.endsWith("/") || (await isFolder(join(place.workdir, target)));
    const path = isDirectory ? join(target, basename(single.path)) : target;
    return writeFiles(place.workdir, [{ ...single, path }]);
  }
  const prefix = step.from === "." ? "" : `${step.from}/`;
  const inside = place.files.filter(({ path }) => path.startsWith(prefix));
  if (inside.length === 0)
    throw new GodwitError("invalid_argument", `The image's files do not have ${JSON.stringify(step.from)}.`);
  return writeFiles(
    place.workdir,
    inside.map((file) => ({ ...file, path: join(target, file.path.slice(prefix.length)) })),
  );
}

const isFolder = async (path: string): Promise<boolean> => (await stat(path).catch(() => null))?.isDirectory() === true;

/** Their paths are known to lie inside (archive.ts R2). */
export async function writeFiles(directory: string, files: readonly ArchivedFile[]): Promise<void> {
  for (const { path, bytes, executable } of files) {
    const whole = join(directory, path);
    await mkdir(dirname(whole), { recursive: true });
    await writeFile(whole, bytes);
    await chmod(whole, executable ? 0o755 : 0o644);
  }
}

function titleOf(step: Step): string {
  switch (step.type) {
    case "pip":
      return `pip install ${shown(step.packages)}`;
    case "requirements":
      return `pip install -r ${step.file}`;
    case "wheels":
      return `pip install ${step.packageName} from ${step.directory}`;
    case "uv":
      return `uv sync ${step.project}`;
    case "poetry":
      return `poetry install ${step.project}`;
    case "apt":
      return `system packages: ${step.packages.join(" ")}`;
    case "copy":
      return `copy ${step.from} to ${step.to === "" ? "the working directory" : step.to}`;
    case "command":
      return `$ ${shown([step.command])}`;
    case "env":
      return `variables: ${Object.keys(step.variables).join(" ")}`;
  }
}
