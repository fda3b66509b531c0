// A process of Flyte's own client, and whether it did what it was asked to.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after } from "node:test";
import type { TestPython } from "./python.ts";

export type ClientCall = {
  readonly cwd: string;
  /** But for the path, all it gets. */
  readonly env: NodeJS.ProcessEnv;
  /** Of the environment's: `flyte`, or `python`. */
  readonly program: string;
  readonly words: readonly string[];
};

export type ClientEnd = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
};

const clients = new Set<ChildProcess>();

after(() => {
  for (const client of clients) client.kill("SIGKILL");
});

export async function flyteClient(python: TestPython, { cwd, env, program, words }: ClientCall): Promise<ClientEnd> {
  const child = spawn(join(python.bin, program), words, {
    cwd,
    env: { ...env, PYTHONFAULTHANDLER: "1", PATH: `${python.bin}:${process.env.PATH}` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  clients.add(child);
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close"),
  ]);
  clients.delete(child);
  return { code, signal, stdout, stderr };
}

/** What it printed. */
export function succeeded(what: string, ended: ClientEnd): string {
  const { code, signal, stdout, stderr } = ended;
  if (isLateAbort(ended)) console.log(`${what}: the client aborted after its end, by its own fault`);
  else assert.equal(code, 0, `${what} ended with ${code ?? signal}:\n${stdout}\n${stderr}`);
  return stdout;
}

/**
 * What the client's HTTP library does now and then (some 1 in 70 short commands; docs/flyte2.md): one of its threads
 * is ended by Python's shutdown while it wakes the event loop, and that aborts the process. All has been done and
 * printed by then: the report of the fault handler is all there is, and tells that no Python is left to run.
 */
const isLateAbort = ({ signal, stderr }: ClientEnd): boolean =>
  signal === "SIGABRT" &&
  /^Fatal Python error: Aborted\n\n(Current t|T)hread \w+ [^\n]*\n {2}<no Python frame>\n/.test(stderr);
