// A Restate server of our own, from its npm package: a fresh directory, the settings it comes with, free
// ports of the loopback; ended with whoever opened it.
import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { arch, platform } from "node:os";
import { join } from "node:path";
import { freePort } from "./postgres.ts";

export type RestateServer = {
  readonly ingressUrl: string;
  readonly version: string;
  /** As the server says that they are in force. */
  readonly settings: readonly string[];
  /** Makes the services that are served at this address known. */
  register(url: string): Promise<void>;
  close(): Promise<void>;
};

const maxStartMs = 60_000;
const endGraceMs = 10_000;

export async function openRestateServer(dir: string): Promise<RestateServer> {
  const binary = createRequire(import.meta.url).resolve(
    `@restatedev/restate-server-${platform()}-${arch()}/bin/restate-server`,
  );
  const base = join(dir, "restate");
  mkdirSync(base);
  const [node, admin, ingress] = [await freePort(), await freePort(), await freePort()];
  const env = {
    ...process.env,
    RESTATE_LISTEN_MODE: "tcp",
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADVERTISED_ADDRESS: `http://127.0.0.1:${node}`,
    RESTATE_DISABLE_TELEMETRY: "true",
    DO_NOT_TRACK: "1",
  };
  const args = ["--base-dir", base, "--node-name", "bench", "--no-logo"];
  const config = execFileSync(binary, [...args, "--dump-config"], { env, encoding: "utf8" });
  const log = openSync(join(dir, "restate.log"), "a");
  const server = spawn(binary, args, { env, cwd: base, stdio: ["ignore", log, log] });
  closeSync(log);
  // Whatever ends this process ends the server as well; `close` does it in order.
  const kill = (): void => void server.kill("SIGKILL");
  process.once("exit", kill);
  const exited = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  const adminUrl = `http://127.0.0.1:${admin}`;
  const register = (uri: string): Promise<boolean> =>
    fetch(`${adminUrl}/deployments`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ uri, force: true }),
    }).then(
      ({ ok }) => ok,
      () => false, // It does not listen yet.
    );
  return {
    ingressUrl: `http://127.0.0.1:${ingress}`,
    version: execFileSync(binary, ["--version"], { encoding: "utf8" }).trim().split(" ").at(-1) ?? "",
    settings: settingsOf(config),
    register: async (url) => {
      for (const until = performance.now() + maxStartMs; !(await register(url)); ) {
        if (server.exitCode !== null || performance.now() > until) throw new Error("Restate's server did not start");
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    },
    close: async () => {
      server.kill("SIGTERM");
      const timer = setTimeout(kill, endGraceMs);
      await exited;
      clearTimeout(timer);
      process.off("exit", kill);
    },
  };
}

/** What decides when something is on the disk: lines of its dumped configuration, with their sections. */
function settingsOf(config: string): readonly string[] {
  const told = /^(default-replication|default-num-partitions|default-provider|rocksdb-disable-wal-fsync)\b/;
  const found: string[] = [];
  let section = "";
  for (const line of config.split("\n")) {
    section = /^\[(.*)\]$/.exec(line)?.[1] ?? section;
    if (told.test(line)) found.push(`${section === "" ? "" : `${section}.`}${line.replaceAll(" ", "")}`);
  }
  return found;
}
