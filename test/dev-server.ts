// `godwit dev` in a process of its own, on a free port, for tests of its clients.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { makeProject } from "./project.ts";

export type DevServer = { readonly endpoint: string; readonly dir: string; stop(): Promise<void> };

export async function serveDev(words: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<DevServer> {
  const project = makeProject();
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "../bin/godwit.js"), "dev", ...words, "--port", "0", "--json"],
    { cwd: project.dir, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] },
  );
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    if (child.exitCode === null) await once(child, "close");
    project.remove();
  };
  for await (const line of createInterface({ input: child.stdout })) {
    child.stdout.resume();
    const { url } = JSON.parse(line) as { readonly url: string };
    return { endpoint: url, dir: project.dir, stop };
  }
  await stop();
  throw new Error("The server did not start.");
}
