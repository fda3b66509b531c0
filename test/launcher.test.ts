// bin/godwit.js on Nodes new and old, with a stand-in for the command line behind it.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";

/** Prints what it was given, then does what the first argument says. */
const standIn = `
export async function main(argv) {
  process.on("SIGTERM", () => process.exit(7));
  console.log(JSON.stringify({ argv, node: process.versions.node, pid: process.pid, launcher: process.env.GODWIT_LAUNCHER ?? null }));
  if (argv[0] === "warn") process.emitWarning("SQLite is an experimental feature and might change", "ExperimentalWarning");
  if (argv[0] === "wait") {
    setInterval(() => {}, 60_000);
    await new Promise(() => {});
  }
  return Number(argv[1] ?? 0);
}
`;

function installation(context: TestContext, { withNode }: { readonly withNode: boolean }): string {
  const folder = mkdtempSync(join(tmpdir(), "godwit-launcher-"));
  context.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "dist/cli"), { recursive: true });
  cpSync("bin", join(folder, "bin"), { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "dist/cli/main.js"), standIn);
  if (withNode) {
    mkdirSync(join(folder, "node_modules/node/bin"), { recursive: true });
    symlinkSync(process.execPath, join(folder, "node_modules/node/bin/node"));
    writeFileSync(join(folder, "node_modules/node/package.json"), JSON.stringify({ version: process.versions.node }));
  }
  return folder;
}

/** npm itself often runs on the machine's own, older Node. */
const olderNode = [
  process.env.npm_node_execpath,
  ...(process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "node")),
].find((program) => program !== undefined && majorOf(program) >= 18 && majorOf(program) < 24);
const skip = olderNode === undefined ? "no Node older than 24 on this machine" : false;

function majorOf(program: string): number {
  try {
    return Number.parseInt(execFileSync(program, ["-p", "process.versions.node"], { encoding: "utf8" }), 10);
  } catch {
    return 0;
  }
}

test("arguments and exit code pass through", (context) => {
  const folder = installation(context, { withNode: false });
  const { stdout, status } = spawnSync(process.execPath, [join(folder, "bin/godwit.js"), "run", "3"], {
    encoding: "utf8",
  });
  assert.deepEqual(JSON.parse(stdout).argv, ["run", "3"]);
  assert.equal(status, 3);
});

test("nothing is said about SQLite being experimental", (context) => {
  const folder = installation(context, { withNode: false });
  const { stderr } = spawnSync(process.execPath, [join(folder, "bin/godwit.js"), "warn"], { encoding: "utf8" });
  assert.equal(stderr, "");
});

test("an older Node hands over to the one in node_modules", { skip }, (context) => {
  const folder = installation(context, { withNode: true });
  const { stdout, status } = spawnSync(olderNode as string, [join(folder, "bin/godwit.js"), "run", "3"], {
    encoding: "utf8",
  });
  const { argv, node, launcher } = JSON.parse(stdout);
  assert.deepEqual(
    { argv, node, launcher, status },
    { argv: ["run", "3"], node: process.versions.node, launcher: null, status: 3 },
  );
});

test("an older Node alone is told what to install, with the exit code for wrong usage", { skip }, (context) => {
  const folder = installation(context, { withNode: false });
  const { stderr, status } = spawnSync(olderNode as string, [join(folder, "bin/godwit.js")], {
    encoding: "utf8",
    cwd: folder,
  });
  assert.match(stderr, /needs Node 24 or newer; this is \d+.*npm install --save-dev node@24/s);
  assert.equal(status, 2);
});

/** A launcher whose command has begun. */
async function waiting(context: TestContext) {
  const folder = installation(context, { withNode: true });
  const launcher = spawn(olderNode as string, [join(folder, "bin/godwit.js"), "wait"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(launcher.stdout, "data");
  return launcher;
}

test("a signal to the launcher reaches the command, and its exit code comes back", { skip }, async (context) => {
  const launcher = await waiting(context);
  launcher.kill("SIGTERM");
  assert.deepEqual(await once(launcher, "exit"), [7, null]);
});

test("kill -9 of the launcher leaves nothing running", { skip, timeout: 30_000 }, async (context) => {
  const launcher = await waiting(context);
  launcher.kill("SIGKILL");
  // Both processes hold the pipe: it closes when the second of them is gone.
  await once(launcher.stdout, "close");
});
