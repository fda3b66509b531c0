// Makes the virtual environment that an image's steps fill.
//
// R1  It stands on another environment: what that has (flyte above all) is found in it without being
//     installed anew, by a .pth file; what is installed in it comes first.
// R2  It has the programs of what it stands on, `a0` among them, under its own Python.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CommandContext, runCommand } from "./command.ts";
import { hasUsablePip, type Interpreter, probe } from "./interpreter.ts";

export type Environment = {
  readonly directory: string;
  readonly python: string;
  /** A Python that has pip, which installs into others. */
  readonly pip: readonly string[];
};

/** Writes a program for each console script that has none. */
const scriptsProgram = `
import importlib.metadata as m, os, stat, sys
bin = os.path.dirname(sys.executable)
for e in m.entry_points(group="console_scripts"):
    path = os.path.join(bin, e.name)
    if os.path.lexists(path) or os.path.basename(e.name) != e.name: continue
    attribute = e.value.split("[")[0].strip()
    module, _, function = attribute.partition(":")
    if not function: continue
    with open(path, "w") as f:
        f.write("#!%s\\nimport sys\\nfrom %s import %s\\nsys.argv[0] = %r\\nsys.exit(%s())\\n"
                % (sys.executable, module.strip(), function.split(".")[0], path, function.strip()))
    os.chmod(path, 0o755)
`;

/** Empty but for what it stands on. `base` null: it stands on nothing. */
export async function makeEnvironment(
  directory: string,
  python: Interpreter,
  base: Interpreter | null,
  context: CommandContext,
): Promise<Environment> {
  const carrier = [base, python].find((each) => each !== null && hasUsablePip(each)) ?? null;
  // Putting pip into it takes seconds, and another's does as well.
  const without = carrier === null ? [] : ["--without-pip"];
  await runCommand([python.python, "-m", "venv", "--clear", ...without, directory], context);
  const own = join(directory, "bin", "python");
  const { sitePackages } = await probe(own, context);
  if (base !== null) {
    const lines = base.sitePackages.map((path) => `import site; site.addsitedir(${JSON.stringify(path)})`);
    await mkdir(sitePackages[0] as string, { recursive: true });
    await writeFile(join(sitePackages[0] as string, "godwit-base.pth"), `${lines.join("\n")}\n`); // R1
  }
  const pip = carrier === null ? [own, "-m", "pip"] : [carrier.python, "-m", "pip", "--python", own];
  return { directory, python: own, pip };
}

/** R2. When everything is installed, so that whoever brings a program of its own has written it. */
export const writeScripts = ({ python }: Environment, context: CommandContext): Promise<void> =>
  runCommand([python, "-I", "-c", scriptsProgram], context);
