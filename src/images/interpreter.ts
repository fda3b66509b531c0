// The Pythons of this machine: which there are, and what those have that are environments already.
import { existsSync, readdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { GodwitError } from "../core/error.ts";
import { type CommandContext, commandOutput } from "./command.ts";

export type Interpreter = {
  readonly python: string;
  /** `3.11` */
  readonly version: string;
  /** Where its packages are: its own directory first, then those of what it stands on itself. */
  readonly sitePackages: readonly string[];
  /** Null: it has no flyte. */
  readonly flyteVersion: string | null;
  /** Null: it has no pip. */
  readonly pipVersion: string | null;
};

/** `--python` came with it. */
const leastPip = [22, 3] as const;
const probeTimeoutMs = 60_000;

const probeProgram = `
import importlib.metadata as m, json, os, sys, sysconfig
def version(name):
    try: return m.version(name)
    except m.PackageNotFoundError: return None
print(json.dumps({
    "python": sys.executable,
    "version": "%d.%d" % sys.version_info[:2],
    "sitePackages": list(dict.fromkeys([
        sysconfig.get_path("purelib"), sysconfig.get_path("platlib"),
        *(p for p in sys.path if os.path.basename(p) in ("site-packages", "dist-packages")),
    ])),
    "flyteVersion": version("flyte"),
    "pipVersion": version("pip"),
}))`;

/** Asks a Python what it is. */
export async function probe(python: string, context: Omit<CommandContext, "print">): Promise<Interpreter> {
  const text = await commandOutput([python, "-I", "-c", probeProgram], {
    ...context,
    print: () => {},
    timeoutMs: probeTimeoutMs,
  });
  const found = JSON.parse(text) as Interpreter;
  // A link or a shim would be another place to whoever makes an environment of it.
  return { ...found, python: existsSync(found.python) ? found.python : python };
}

export const hasUsablePip = ({ pipVersion }: Interpreter): boolean => {
  const [major = 0, minor = 0] = (pipVersion ?? "").split(".").map(Number);
  return major > leastPip[0] || (major === leastPip[0] && minor >= leastPip[1]);
};

/** The Python of an environment that somebody named by its directory or by the program. */
export function pythonIn(path: string): string | null {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return null;
  if (!stat.isDirectory()) return path;
  const inside = join(path, "bin", "python");
  return existsSync(inside) ? inside : null;
}

/** The programs for a version, by PATH. Not each must work: a version manager leaves stubs for what it does not have. */
export const pythonsOnPath = (version: string, path: string): readonly string[] =>
  path
    .split(delimiter)
    .filter((entry) => entry !== "")
    .map((directory) => join(directory, `python${version}`))
    .filter((candidate) => existsSync(candidate));

/** The versions that PATH has, for messages. */
export function versionsOnPath(path: string): readonly string[] {
  const found = new Set<string>();
  for (const directory of path.split(delimiter).filter((entry) => entry !== "")) {
    for (const name of namesIn(directory)) {
      const version = /^python(3\.\d+)$/.exec(name)?.[1];
      if (version !== undefined) found.add(version);
    }
  }
  return [...found].sort((a, b) => Number(a.slice(2)) - Number(b.slice(2)));
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // Shells pass over such entries of PATH too.
  }
}

export function noPython(version: string, path: string): GodwitError {
  const all = versionsOnPath(path);
  const others = all.filter((each) => each !== version);
  const isStub = others.length < all.length;
  const what = isStub ? `which is on this server's PATH but does not start` : "which this server does not have";
  const there = others.length === 0 ? "no other" : others.join(", ");
  return new GodwitError(
    "failed_precondition",
    `The image wants Python ${version}, ${what} (there is ${there}). Ask for one that it has (flyte.Image.from_debian_base(python_version=…)), or have python${version} installed on the server.`,
  );
}
