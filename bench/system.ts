// What is measured, seen from the benchmark: something that is started, asked and ended; and the other side
// of it for systems that are a process of their own.
import { type ChildProcess, fork } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { rootVariable } from "./gauge.ts";
import { type Answer, answer, type Program, type Request } from "./program.ts";

/** What people have to know to compare it, a line each. */
export type Words = {
  readonly version: string;
  /** What has happened when a call is answered. */
  readonly acknowledges: string;
  /** When bytes are forced to the disk, by which settings. */
  readonly syncs: string;
  /** How N calls come to be in flight, and how the units are called there. */
  readonly concurrency: string;
};

export type System = {
  readonly words: Words;
  /** Rejects with a `Late` after the limit; the system is of no use then. */
  measure(request: Request, limitMs: number): Promise<Answer>;
  end(): Promise<void>;
};

/** It did not get done within its time. */
export class Late extends Error {}

type Report =
  | { readonly type: "ready"; readonly words: Words }
  | { readonly type: "answer"; readonly answer: Answer }
  | { readonly type: "failed"; readonly message: string };

/** Until it has said its words; a server of somebody else's may take its time. */
const maxStartMs = 90_000;
const endGraceMs = 20_000;

const ends = new Set<() => Promise<void>>();
let isEnding = false;

/** When somebody stops the benchmark: ends what runs, and nothing starts any more. */
export async function endAll(): Promise<void> {
  isEnding = true;
  await Promise.all([...ends].map((end) => end()));
}

/** Starts a program file, which calls `serve`, as a process with a directory of its own. */
export async function startProgram(file: string, dir: string): Promise<System> {
  if (isEnding) throw new Error("The benchmark was stopped.");
  mkdirSync(dir, { recursive: true });
  const logFile = join(dir, "program.log");
  const log = openSync(logFile, "a");
  const child = fork(join(import.meta.dirname, file), [dir], {
    stdio: ["ignore", log, log, "ipc"],
    execArgv: [],
    env: measuredEnv(),
  });
  closeSync(log);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const end = async (): Promise<void> => {
    // The end of the channel tells it to clean up and go.
    if (child.connected) child.disconnect();
    const timer = setTimeout(() => child.kill("SIGKILL"), endGraceMs);
    await exited;
    clearTimeout(timer);
    ends.delete(end);
  };
  ends.add(end);
  try {
    const ready = await nextReport(child, maxStartMs, () => logTail(logFile));
    if (ready.type !== "ready") throw new Error("It answered before it was asked.");
    return {
      words: ready.words,
      measure: async (request, limitMs) => {
        const report = nextReport(child, limitMs, () => logTail(logFile));
        child.send(request);
        const found = await report;
        if (found.type !== "answer") throw new Error("It did not answer.");
        return found.answer;
      },
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** What measured processes are given: whose descendants they are, and a production setting for all alike. */
export const measuredEnv = (): NodeJS.ProcessEnv => ({
  ...process.env,
  [rootVariable]: String(process.pid),
  NODE_OPTIONS: "",
  NODE_ENV: "production",
  NO_COLOR: "1",
});

function nextReport(child: ChildProcess, limitMs: number, tail: () => string): Promise<Report> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      child.off("message", onMessage);
      child.off("exit", onExit);
      act();
    };
    const onMessage = (message: unknown): void =>
      settle(() => {
        const report = message as Report;
        if (report.type === "failed") reject(new Error(report.message));
        else resolve(report);
      });
    const onExit = (): void => settle(() => reject(new Error(`It ended. ${tail()}`)));
    const timer = setTimeout(() => settle(() => reject(new Late(`not within ${limitMs / 1_000} s`))), limitMs);
    child.on("message", onMessage);
    child.on("exit", onExit);
    if (child.exitCode !== null) onExit();
  });
}

/** The line that says what was wrong, if one does; else the last one. */
function logTail(file: string): string {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  return (lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? "").trim();
}

export type Served = { readonly program: Program; readonly words: Words; readonly close: () => Promise<void> };

/** The other side: what a program file calls. It ends when the benchmark lets go of it, however that dies. */
export async function serve(open: (dir: string) => Promise<Served>): Promise<void> {
  const tell = (report: Report): void => {
    if (process.connected) process.send?.(report);
  };
  const failed = (error: unknown): void =>
    tell({ type: "failed", message: error instanceof Error ? error.message : String(error) });
  const over = new Promise<void>((resolve) => void process.once("disconnect", resolve));
  // Ctrl-C in a terminal goes to everybody; the benchmark's own end comes by the channel.
  process.on("SIGINT", () => {});
  let served: Served | null = null;
  try {
    served = await open(process.argv[2] as string);
    const { program, words } = served;
    process.on("message", (request: Request) => {
      answer(program, request).then((found) => tell({ type: "answer", answer: found }), failed);
    });
    tell({ type: "ready", words });
    if (process.connected) await over;
  } catch (error) {
    failed(error);
  }
  await served?.close();
  process.exit();
}
