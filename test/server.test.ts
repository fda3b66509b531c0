// `godwit dev` and `godwit server` as processes: they start, take over what nobody serves, end in order, and lose
// nothing when they are killed.
import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { freePort } from "./free-port.ts";
import { makeProject, makeTrial, type Project, type Started, type Trial, until } from "./project.ts";

let project: Project;
let trial: Trial;
let port: number;

before(() => {
  project = makeProject();
  project.copy("waits.ts");
});
after(() => project.remove());
beforeEach(async () => {
  trial = makeTrial(project);
  port = await freePort();
});
afterEach(() => trial.end());

const isReady = async (): Promise<boolean> => {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
  return response?.status === 200;
};

async function startServer(...args: readonly string[]): Promise<Started> {
  const started = project.start(["server", "--port", String(port), ...args], trial.env);
  await until(isReady, "the server is ready");
  return started;
}

/** Without `JOURNAL`, which only the server's workers have: a run that nobody serves. */
async function abandonedRun(name: string, gates: string): Promise<void> {
  const starting = project.start(["run", "waits.ts", "tree", "--name", name, "--json"], trial.env);
  await trial.begun(`leaf-${gates}`);
  starting.process.kill("SIGKILL");
  await starting.ended;
}

const phaseOf = async (name: string): Promise<string> =>
  JSON.parse((await project.run(["get", "run", name, "--json"])).stdout).phase;

const open = (gate: string): void => writeFileSync(join(project.dir, gate), "");

test("a run whose process was killed is taken over, survives the server's own end and kill, and succeeds", async () => {
  await abandonedRun("tree", "a 1");
  trial.clear();
  const first = await startServer();
  await trial.begun("leaf-a 2");
  await trial.begun("leaf-b 2");
  first.process.kill("SIGTERM");
  assert.deepEqual(await first.ended.then(({ code, signal }) => ({ code, signal })), { code: 0, signal: null });
  await trial.noneLeft();
  assert.equal(await isReady(), false);

  open("a");
  const second = await startServer();
  await trial.begun("leaf-b 3");
  second.process.kill("SIGKILL");
  await second.ended;
  await trial.noneLeft();

  const third = await startServer();
  open("b");
  await until(async () => (await phaseOf("tree")) === "succeeded", "the run has succeeded");
  third.process.kill("SIGTERM");
  const { code, stdout } = await third.ended;
  assert.equal(code, 0);
  assert.match(stdout, /Godwit is ready/);
});

test("a run that is created while the server is there is served, also when another process creates it", async () => {
  const server = await startServer("--json");
  const starting = project.start(["run", "waits.ts", "asks", "--name", "asked", "--json"], trial.env);
  const answer = async (...words: string[]) => (await project.run(["signal", "asked", ...words])).code === 0;
  await until(() => answer("approve", "true"), "it is answered");
  await until(() => answer("who", "ada"), "it is answered again");
  const { code, stderr } = await starting.ended;
  assert.equal(code, 0, stderr);
  server.process.kill("SIGTERM");
  const { stdout } = await server.ended;
  const { url, dataDir } = JSON.parse(stdout.split("\n")[0] as string);
  assert.equal(url, `http://localhost:${port}`);
  assert.equal(dataDir, join(project.dir, ".godwit"));
});

test("a second signal ends it at once", async () => {
  const server = await startServer("--auth", "keys");
  // A call that is under way would be waited for.
  const slow = fetch(`http://127.0.0.1:${port}/oauth2/token`, {
    method: "POST",
    body: new ReadableStream({ start: () => {} }),
    duplex: "half",
  } as RequestInit).catch(() => null);
  await new Promise((resolve) => setTimeout(resolve, 100));
  server.process.kill("SIGTERM");
  await until(async () => !(await isReady()), "it takes nobody in");
  server.process.kill("SIGTERM");
  assert.equal((await server.ended).code, 143);
  await slow;
});

test("what is wrong with the start is told in words", async () => {
  const open = await project.run(["server", "--host", "0.0.0.0"]);
  assert.equal(open.code, 2);
  assert.match(open.stderr, /without asking who they are/);
  const taken = createServer().listen(port, "127.0.0.1");
  await once(taken, "listening");
  const { code, stderr } = await project.run(["server", "--port", String(port)]);
  assert.equal(code, 2);
  assert.match(stderr, /The port \d+ is taken on 127\.0\.0\.1.*--port/);
  taken.close();
  writeFileSync(join(project.dir, "bad.json"), '{"server":{"prot":1}}');
  const config = await project.run(["server", "--config", "bad.json"]);
  assert.match(config.stderr, /bad\.json: server has no setting "prot"\. Did you mean "port"/);
});

test("a key is made, told once, and opens a server that asks for keys", async () => {
  const { code, stdout } = await project.run([
    "server",
    "create-key",
    "ci",
    "--endpoint",
    "godwit.example.org",
    "--json",
  ]);
  assert.equal(code, 0);
  const { clientId, clientSecret, apiKey } = JSON.parse(stdout);
  assert.equal(Buffer.from(apiKey, "base64").toString(), `godwit.example.org:ci:${clientSecret}:`);
  const server = await startServer("--auth", "keys", "--host", "0.0.0.0");
  const body = new URLSearchParams({
    grant_type: "client_credentials",
    client_id: clientId,
    client_secret: clientSecret,
  });
  const response = await fetch(`http://127.0.0.1:${port}/oauth2/token`, { method: "POST", body });
  assert.equal(response.status, 200);
  assert.equal((await project.run(["server", "keys"])).stdout.split(" ")[0], "ci");
  assert.equal((await project.run(["server", "delete-key", "ci"])).code, 0);
  server.process.kill("SIGTERM");
  const { stderr } = await server.ended;
  assert.doesNotMatch(stderr, new RegExp(clientSecret));
});
