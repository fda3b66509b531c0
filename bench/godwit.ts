// Godwit as a user has it: a project with its package in node_modules, task files, and the command.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Answer, Request } from "./program.ts";
import { Late, measuredEnv, type System, type Words } from "./system.ts";

const root = join(import.meta.dirname, "..");

export type Package = {
  /** Its command. */
  readonly bin: string;
  /** Of what npm would publish; null when the sources are run. */
  readonly packed: { readonly sizeBytes: number; readonly archive: string } | null;
};

export type Project = {
  readonly dir: string;
  readonly dataDir: string;
  start(args: readonly string[], env?: NodeJS.ProcessEnv): Started;
  /** Of a command with --json that has to end well. */
  json(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<unknown>;
};

export type Started = { readonly process: ChildProcess; readonly ended: Promise<Ended> };
export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

/** What `godwit run --json` prints, as far as it is read here (docs/json.md). */
export type Summary = {
  readonly phase: string | null;
  readonly outputs: { readonly [name: string]: unknown } | null;
  readonly error: { readonly message: string } | null;
  readonly actions: { readonly [which: string]: number };
};

/** Compiles and packs Godwit as for publishing, once for all projects; or takes the clone as it is. */
export function preparePackage(dir: string, isFromSource: boolean): Package {
  if (isFromSource) return { bin: join(root, "bin/godwit.js"), packed: null };
  const packed = execFileSync("npm", ["pack", "--json", "--pack-destination", dir], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  // What the build prints comes before the report.
  const [report] = JSON.parse(packed.slice(packed.indexOf("[\n"))) as readonly { filename: string; size: number }[];
  if (report === undefined) throw new Error("npm pack did not say what it packed.");
  const modules = join(dir, "node_modules");
  const home = join(modules, "godwit");
  const archive = join(dir, report.filename);
  mkdirSync(home, { recursive: true });
  execFileSync("tar", ["-xzf", archive, "--strip-components=1", "-C", home]);
  linkPackages(modules);
  return { bin: join(home, "bin/godwit.js"), packed: { sizeBytes: report.size, archive } };
}

/** Godwit's dependencies, as npm would put them beside it. */
function linkPackages(modules: string): void {
  for (const name of readdirSync(join(root, "node_modules")).filter((entry) => !entry.startsWith("."))) {
    if (!existsSync(join(modules, name))) symlinkSync(join(root, "node_modules", name), join(modules, name));
  }
}

export function makeProject(dir: string, { bin, packed }: Package): Project {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, "package.json"), JSON.stringify({ name: "bench", version: "1.0.0", type: "module" }));
  cpSync(join(import.meta.dirname, "pipelines"), join(dir, "pipelines"), { recursive: true });
  for (const shared of ["program.ts", "gauge.ts"]) cpSync(join(import.meta.dirname, shared), join(dir, shared));
  const modules = join(dir, "node_modules");
  if (packed === null) {
    mkdirSync(modules);
    symlinkSync(join(root, "node_modules/zod"), join(modules, "zod"));
  } else symlinkSync(join(bin, "../../.."), modules);
  const start = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Started => {
    const process = spawn(globalThis.process.execPath, [bin, ...args], {
      cwd: dir,
      env: { ...measuredEnv(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const kill = (): void => void process.kill("SIGKILL");
    globalThis.process.once("exit", kill);
    process.once("exit", () => globalThis.process.off("exit", kill));
    const output = Promise.all([text(process.stdout), text(process.stderr), once(process, "close")]);
    return { process, ended: output.then(([stdout, stderr, [code]]) => ({ code, stdout, stderr })) };
  };
  return {
    dir,
    dataDir: join(dir, ".godwit"),
    start,
    json: async (args, env) => parsed(args, await start([...args, "--json"], env).ended),
  };
}

export function parsed(args: readonly string[], { code, stdout, stderr }: Ended): unknown {
  if (code !== 0) throw new Error(`godwit ${args.slice(0, 3).join(" ")} ended with ${code}: ${tail(stderr)} ${stdout}`);
  return JSON.parse(stdout);
}

const tail = (output: string): string => output.trim().split("\n").slice(-3).join(" | ");

/** One `godwit run` for each request, in one data directory. */
export function openGodwitSystem(project: Project): System {
  return {
    words: words(),
    measure: async (request: Request, limitMs: number): Promise<Answer> => {
      const inputs = JSON.stringify({ request: JSON.stringify(request) });
      const args = ["run", "pipelines/requests.ts", "main", "--inputs", inputs, "--json"];
      const { process, ended } = project.start(args);
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        process.kill("SIGKILL"); // Its workers go with it.
      }, limitMs);
      const end = await ended;
      clearTimeout(timer);
      if (isLate) throw new Late(`not within ${limitMs / 1_000} s`);
      const { outputs } = parsed(args, end) as Summary;
      return JSON.parse(String(outputs?.answer)) as Answer;
    },
    end: async () => {},
  };
}

const words = (): Words => ({
  version: String(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).version),
  acknowledges:
    "a call is answered when its outcome is committed and synced; the call itself was committed before it was sent to a worker, and is synced with its outcome at the latest: until then it outlives the process, and not a power failure",
  syncs:
    "SQLite, WAL: an fdatasync of the log after each commit of outcomes, traces and commands, before it is answered; changes of one moment share both",
  concurrency:
    "window: one parent task with map(…, { concurrency: N }); chains: N parent tasks at once, each calling one after another; fan-out: map over all. `godwit run` with its defaults: warm worker processes, one a core. Steps are traces",
});
