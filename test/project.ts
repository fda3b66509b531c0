// A project directory of a user's, and the real command run in it.
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const root = join(import.meta.dirname, "..");

export type Project = {
  readonly dir: string;
  write(file: string, content: string): void;
  /** Copies a file of test/fixtures/pipelines. */
  copy(fixture: string): void;
  start(args: readonly string[], env?: NodeJS.ProcessEnv, stdin?: string): Started;
  run(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ended>;
  remove(): void;
};

export type Started = { readonly process: ChildProcess; readonly ended: Promise<Ended> };
export type Ended = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

/** With the packages of this repository, as if they had been installed. */
export function makeProject(): Project {
  const dir = mkdtempSync(join(tmpdir(), "godwit-project-"));
  mkdirSync(join(dir, "node_modules"));
  for (const name of ["zod", "vega-datasets"])
    symlinkSync(join(root, "node_modules", name), join(dir, "node_modules", name));
  writeFileSync(join(dir, "package.json"), JSON.stringify({ name: "project", type: "module", version: "1.0.0" }));
  const start = (args: readonly string[], env: NodeJS.ProcessEnv = {}, stdin = ""): Started => {
    const child = spawn(process.execPath, [join(root, "bin", "godwit.js"), ...args], {
      cwd: dir,
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => {}); // It may have ended without reading it.
    child.stdin.end(stdin);
    const output = Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    const ended = output.then(([stdout, stderr, [code, signal]]): Ended => ({ code, signal, stdout, stderr }));
    return { process: child, ended };
  };
  return {
    dir,
    write: (file, content) => {
      mkdirSync(join(dir, file, ".."), { recursive: true });
      writeFileSync(join(dir, file), content);
    },
    copy: (fixture) => cpSync(join(root, "test", "fixtures", "pipelines", fixture), join(dir, fixture)),
    start,
    run: (args, env) => start(args, env).ended,
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}

/** Processes that inherited this environment variable; /proc tells. */
export function processesWith(name: string, value: string): readonly number[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(join("/proc", pid, "environ"), "utf8")
          .split("\0")
          .includes(`${name}=${value}`);
      } catch {
        return false; // Ended in between, or not ours to look into.
      }
    })
    .map(Number);
}

/** Asks again and again until it holds; fails after `timeoutMs`. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, timeoutMs = 30_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`Not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** One test's processes and the journal that its tasks write: a line for each body, `name attempt pid`. */
export type Trial = {
  /** For the commands that belong to it. */
  readonly env: { readonly [name: string]: string };
  bodies(): readonly string[];
  /** Until a line begins with these words. */
  begun(words: string): Promise<void>;
  pidOf(words: string): number;
  /** Forgets what was written so far. */
  clear(): void;
  noneLeft(): Promise<void>;
  /** What a failed test left, perhaps stopped, would keep the test process waiting. */
  end(): void;
};

export function makeTrial(project: Project): Trial {
  const mark = randomUUID();
  const journal = join(project.dir, `journal-${mark}`);
  const clear = (): void => writeFileSync(journal, "");
  clear();
  const bodies = (): readonly string[] => readFileSync(journal, "utf8").split("\n").filter(Boolean);
  const found = (words: string): string | undefined => bodies().find((line) => line.startsWith(`${words} `));
  const marked = (): readonly number[] => processesWith("GODWIT_TEST_MARK", mark);
  return {
    env: { JOURNAL: journal, GODWIT_TEST_MARK: mark },
    bodies,
    begun: (words) => until(() => found(words) !== undefined, `${words} has begun`),
    pidOf: (words) => Number(found(words)?.split(" ")[2]),
    clear,
    noneLeft: () => until(() => marked().length === 0, "every process has ended"),
    end: () => {
      for (const pid of marked()) process.kill(pid, "SIGKILL");
    },
  };
}
