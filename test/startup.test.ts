// What starts quickly loads little: what a command does not need stays unloaded. Times depend on the machine; what is
// loaded does not.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { freePort } from "./free-port.ts";
import { makeProject, type Project, until } from "./project.ts";

let project: Project;
before(() => {
  project = makeProject();
  project.write(
    "square.ts",
    `import { environment } from "godwit";
import { z } from "zod";
const env = environment({ name: "numbers" });
export const square = env.task({ name: "square", input: z.object({ x: z.int() }), output: z.int() }, async ({ x }) => x * x);
`,
  );
});
after(() => project.remove());

const preload = pathToFileURL(join(import.meta.dirname, "fixtures/loaded-modules.ts")).href;
const environment = () => ({ NODE_OPTIONS: `--import=${preload}`, LOADED_MODULES: join(project.dir, "loaded.txt") });
const loaded = (): string => readFileSync(join(project.dir, "loaded.txt"), "utf8");

const protocol = /node_modules\/(@bufbuild|@connectrpc)\//;
const serving = /node_modules\/(fastify|prom-client|pino)\/|src\/(server|wire)\//;
/** Node's second HTTP client, which comes along with any import of its first, and with the first `Headers`: 14 MB, 40 ms. */
const undici = /internal\/deps\/undici/;

async function loadedBy(...args: readonly string[]): Promise<string> {
  const { code, stderr } = await project.run(args, environment());
  assert.equal(code, 0, stderr);
  return loaded();
}

test("a local command loads nothing of the protocol, of the server, or of HTTP", async () => {
  for (const args of [["run", "square.ts", "--x", "3"], ["get", "runs"], ["--help"]]) {
    const modules = await loadedBy(...args);
    assert.match(modules, /src\/cli\/main\.ts/);
    for (const unwanted of [protocol, serving, undici, /NativeModule (http|https|http2|tls)$/m])
      assert.doesNotMatch(modules, unwanted, args.join(" "));
  }
});

test("a server that nobody has called loads no library for pages, metrics and logs", async () => {
  const port = await freePort();
  const server = project.start(["server", "--port", String(port), "--log-level", "silent"], environment());
  const isReady = async (): Promise<boolean> =>
    (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null))?.status === 200;
  await until(isReady, "the server is ready");
  server.process.kill("SIGTERM");
  const { code, stderr } = await server.ended;
  assert.equal(code, 0, stderr);
  assert.match(loaded(), protocol);
  assert.doesNotMatch(loaded(), /node_modules\/(fastify|prom-client|pino|@connectrpc\/connect-node)\//);
});

test("an idle server gives back the memory that its start took", { skip: process.platform !== "linux" }, async (t) => {
  const port = await freePort();
  const { process: server, ended } = project.start(["server", "--port", String(port)]);
  t.after(() => server.kill("SIGKILL"));
  const residentMB = (): number => {
    const [, kB] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8")) ?? [];
    return Number(kB) / 1_000;
  };
  const list = `http://127.0.0.1:${port}/flyteidl2.project.ProjectService/ListProjects`;
  const call = () =>
    fetch(list, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
      signal: AbortSignal.timeout(10_000),
    });
  await until(async () => (await call().catch(() => null))?.status === 200, "a call is answered");
  await until(() => residentMB() <= 110, "it has 110 MB or less");
  assert.equal((await call()).status, 200);
  server.kill("SIGTERM");
  assert.equal((await ended).code, 0);
});
