// A server of Godwit's as operators start it, and Flyte's own client as its users have it: the programs of
// test/fixtures/python/conformance, unmodified `flyte` around them, and nothing of ours in between.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { after, type TestContext } from "node:test";
import { type ClientEnd, flyteClient, succeeded } from "../flyte-client.ts";
import { pythonEnvironment, type TestPython } from "../python.ts";

const root = join(import.meta.dirname, "../..");
const programs = join(import.meta.dirname, "../fixtures/python/conformance");

export type FlyteServer = {
  /** `localhost:port`. */
  readonly endpoint: string;
  /** Where clients work: the programs lie there, and `config.yaml`. */
  readonly dir: string;
  readonly dataDir: string;
  /** The command line of Flyte. */
  flyte(...words: readonly string[]): Promise<ClientEnd>;
  /** The same, which has to succeed; what it printed. */
  flyteOk(...words: readonly string[]): Promise<string>;
  /** One of the programs, which has to succeed; its last line is JSON. */
  program(file: string, ...words: readonly string[]): Promise<unknown>;
  /** `kill -9`, and another in its place. */
  replace(): Promise<void>;
};

let started: Promise<FlyteServer> | null = null;
let serverProcess: ChildProcess | null = null;
const home = mkdtempSync(join(tmpdir(), "godwit-flyte-"));

after(async () => {
  if (serverProcess !== null && serverProcess.exitCode === null) {
    serverProcess.kill("SIGTERM");
    await once(serverProcess, "close");
  }
  rmSync(home, { recursive: true, force: true, maxRetries: 5 });
});

/** What the server asks of its clients. */
type Security = "open" | "keys";

/** One for all tests of a file. Null: there is no Python, and the test is skipped. */
export async function flyteServer(t: TestContext, security: Security = "open"): Promise<FlyteServer | null> {
  const python = pythonEnvironment(t);
  if (python === null) return null;
  started ??= start(python, security);
  return started;
}

async function start(python: TestPython, security: Security): Promise<FlyteServer> {
  const dir = join(home, "work");
  const dataDir = join(home, "data");
  cpSync(programs, dir, { recursive: true });
  mkdirSync(dataDir);
  const start = (port: number) => startServer(dataDir, python, port, security);
  const { url, port } = await start(0);
  const endpoint = url.replace(/^https?:\/\//, "");
  writeFileSync(join(dir, "config.yaml"), configFor(endpoint, security === "open" ? open : withKey(dataDir, dir)));
  // For uploads, which know nothing of the configuration.
  const extra = security === "open" ? {} : { SSL_CERT_FILE: join(tls, "ca.pem") };
  const env = { ...scrubbed(), ...extra };
  const client = (program: string, words: readonly string[]) => flyteClient(python, { cwd: dir, env, program, words });
  return {
    endpoint,
    dir,
    dataDir,
    flyte: (...words) => client("flyte", words),
    flyteOk: async (...words) => succeeded(`flyte ${words.join(" ")}`, await client("flyte", words)),
    program: async (file, ...words) => {
      const stdout = succeeded(file, await client("python", [file, ...words]));
      return JSON.parse(stdout.trimEnd().split("\n").at(-1) as string);
    },
    replace: async () => {
      const killed = serverProcess as ChildProcess;
      killed.kill("SIGKILL");
      await once(killed, "close");
      await start(port);
    },
  };
}

type Listening = { readonly url: string; readonly port: number };

const godwit = join(root, "bin/godwit.js");
const tls = join(import.meta.dirname, "../fixtures/tls");
const guarded = ["--auth", "keys", "--tls-cert", join(tls, "cert.pem"), "--tls-key", join(tls, "key.pem")];

async function startServer(
  dataDir: string,
  { python }: TestPython,
  port: number,
  security: Security,
): Promise<Listening> {
  const words = [godwit, "server", "--port", String(port), "--data-dir", dataDir, "--json"];
  if (security === "keys") words.push(...guarded);
  const child = spawn(process.execPath, words, {
    cwd: home,
    env: { ...scrubbed(), GODWIT_PYTHON: python, GODWIT_WEBHOOKS: "loopback" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  serverProcess = child;
  const told = text(child.stderr);
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line);
  throw new Error(`The server ended: ${await told}`);
}

const configFor = (endpoint: string, access: string): string => `admin:
  endpoint: dns:///${endpoint}
${access}task:
  project: flytesnacks
  domain: development
image:
  builder: remote
`;

const open = "  insecure: true\n";

/** Of a client that has been given a key. */
function withKey(dataDir: string, dir: string): string {
  const words = [godwit, "server", "create-key", "tests", "--data-dir", dataDir, "--endpoint", "localhost", "--json"];
  const { clientId, clientSecret } = JSON.parse(execFileSync(process.execPath, words, { cwd: home, encoding: "utf8" }));
  const secret = join(dir, "secret");
  writeFileSync(secret, clientSecret);
  return `  insecure: false
  caCertFilePath: ${join(tls, "ca.pem")}
  authType: ClientSecret
  clientId: ${clientId}
  clientSecretLocation: ${secret}
`;
}

/** What would speak for another Flyte, or make the output other. */
function scrubbed(): NodeJS.ProcessEnv {
  const foreign = /^(FLYTE|UCTL|UNION|_U_|_F_|GODWIT_|NODE_TEST|PYTHON|VIRTUAL_ENV)/;
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name));
  return { ...Object.fromEntries(kept), HOME: home, NO_COLOR: "1", COLUMNS: "400", TERM: "dumb" };
}
