// A Postgres of our own, from the machine's binaries: a fresh cluster with the settings it comes with, on a
// free port of the loopback, ended with whoever opened it.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, closeSync, existsSync, globSync, mkdirSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";

export type Postgres = {
  /** Of a database that exists and is empty. */
  readonly url: string;
  readonly version: string;
  /** As the server itself says they are in force. */
  readonly settings: readonly string[];
  close(): Promise<void>;
};

/** What decides when a commit is on the disk, and how large the server makes itself. */
const toldSettings = [
  "fsync",
  "synchronous_commit",
  "wal_sync_method",
  "full_page_writes",
  "commit_delay",
  "shared_buffers",
  "max_connections",
];

export async function openPostgres(dir: string): Promise<Postgres> {
  const bin = binaries();
  const account = plainAccount();
  const data = join(dir, "postgres");
  mkdirSync(data, { mode: 0o700 });
  for (const path of [dir, data]) if (account !== null) chownSync(path, account.uid, account.gid);
  const identity = account ?? {};
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C"], {
    stdio: ["ignore", "ignore", "pipe"],
    cwd: data,
    ...identity,
  });
  const port = await freePort();
  const log = openSync(join(dir, "postgres.log"), "a");
  const where = ["-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1", "-k", data];
  const server = spawn(join(bin, "postgres"), where, { stdio: ["ignore", log, log], cwd: data, ...identity });
  closeSync(log);
  // Whatever ends this process ends the server as well; `close` does it in order.
  const quit = (): void => void server.kill("SIGQUIT");
  process.once("exit", quit);
  const ask = (sql: string, database = "bench"): string =>
    execFileSync(join(bin, "psql"), ["-h", "127.0.0.1", "-p", String(port), "-U", "bench", "-Atqc", sql, database], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  await serving(server, () => ask("create database bench", "postgres"));
  const names = toldSettings.map((name) => `'${name}'`).join(",");
  const settings = ask(
    `select name || '=' || current_setting(name) from pg_settings where name in (${names}) order by 1`,
  );
  return {
    url: `postgresql://bench@127.0.0.1:${port}/bench`,
    version: ask("show server_version"),
    settings: settings.split("\n"),
    close: async () => {
      const exited = new Promise((resolve) => server.once("exit", resolve));
      process.off("exit", quit);
      // Clients are cut off, what is committed is written, and it goes.
      if (server.exitCode === null && server.kill("SIGINT")) await exited;
    },
  };
}

/** Asks until it answers, as long as it lives and no longer than a minute. */
async function serving(server: ChildProcess, ask: () => void): Promise<void> {
  for (const until = performance.now() + 60_000; ; ) {
    try {
      return ask();
    } catch (error) {
      if (server.exitCode !== null || performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/** Of the newest version that is there; Debian keeps them out of the PATH. */
function binaries(): string {
  const debian = globSync("/usr/lib/postgresql/*/bin").sort((a, b) => versionIn(b) - versionIn(a));
  const places = [...debian, ...(process.env.PATH ?? "").split(delimiter)];
  const found = places.find((place) => ["initdb", "postgres", "psql"].every((name) => existsSync(join(place, name))));
  if (found === undefined)
    throw new Error("there is no Postgres on this machine (initdb, postgres, psql): apt-get install postgresql");
  return found;
}

const versionIn = (path: string): number => Number(/\d+/.exec(path)?.[0] ?? 0);

/** Postgres refuses to run as root; then it runs as the account that its package made, or as nobody. */
function plainAccount(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  for (const name of ["postgres", "nobody"]) {
    try {
      const [uid, gid] = ["-u", "-g"].map((flag) => Number(execFileSync("id", [flag, name], { stdio: "pipe" })));
      if (uid !== undefined && gid !== undefined) return { uid, gid };
    } catch {
      // No such account.
    }
  }
  throw new Error("Postgres does not run as root, and there is no account postgres or nobody: run as a plain user");
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
