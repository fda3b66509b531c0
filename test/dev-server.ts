// `godwit dev` in a process of its own, on a free port, for tests of its clients.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { makeProject } from "./project.ts";

export type DevServer = {
  readonly endpoint: string;
  readonly dir: string;
  /** By SIGKILL, and another one in its place, on the same port and data. `whileGone` is called in between. */
  replace(whileGone?: () => void): Promise<void>;
  stop(): Promise<void>;
};

export async function serveDev(env: NodeJS.ProcessEnv = {}): Promise<DevServer> {
  const project = makeProject();
  let { child, url } = await start(project.dir, "0", env);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    if (child.exitCode === null && child.signalCode === null) await once(child, "close");
  };
  return {
    endpoint: url,
    dir: project.dir,
    replace: async (whileGone) => {
      await end("SIGKILL");
      whileGone?.();
      ({ child, url } = await start(project.dir, new URL(url).port, env));
    },
    stop: async () => {
      await end("SIGTERM");
      project.remove();
    },
  };
}

async function start(dir: string, port: string, env: NodeJS.ProcessEnv) {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "../bin/godwit.js"), "dev", "--port", port, "--json"],
    { cwd: dir, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] },
  );
  for await (const line of createInterface({ input: child.stdout })) {
    child.stdout.resume();
    const { url } = JSON.parse(line) as { readonly url: string };
    return { child, url };
  }
  throw new Error("The server did not start.");
}
