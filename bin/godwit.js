#!/usr/bin/env node
// The command `godwit`: finds a Node that is new enough, then hands over to src/cli (in a clone) or
// dist/cli (in the published package). Plain JavaScript that every Node from 18 on can read, since it
// is what tells the older ones to step aside.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import module from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const oldestMajor = 24;
const majorOf = (version) => Number.parseInt(version, 10);
const here = dirname(fileURLToPath(import.meta.url));

if (majorOf(process.versions.node) >= oldestMajor) await start();
else handOver(newerNode());

async function start() {
  dieWithLauncher();
  silenceSqliteNews();
  module.enableCompileCache();
  const source = new URL("../src/cli/main.ts", import.meta.url);
  const entry = existsSync(source) ? source : new URL("../dist/cli/main.js", import.meta.url);
  const { main } = await import(entry.href);
  process.exitCode = await main(process.argv.slice(2));
}

/** Path of a Node from the npm package `node`, installed beside Godwit or beside the user's project. */
function newerNode() {
  const running = realpathSync(process.execPath);
  for (const folder of [...parents(here), ...parents(process.cwd())]) {
    const home = join(folder, "node_modules", "node");
    const program = join(home, "bin", "node");
    if (!existsSync(program) || realpathSync(program) === running) continue;
    const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
    if (majorOf(version) >= oldestMajor) return program;
  }
  return null;
}

function* parents(folder) {
  for (let at = folder; ; at = dirname(at)) {
    yield at;
    if (dirname(at) === at) return;
  }
}

/** Runs this very command on that Node: same terminal, same signals, same exit code. */
function handOver(program) {
  if (program === null) {
    console.error(
      `godwit needs Node ${oldestMajor} or newer; this is ${process.versions.node}.\n` +
        "Install one for this project alone with `npm install --save-dev node@24`, then run `npx godwit` again.",
    );
    process.exitCode = 2;
    return;
  }
  const child = spawn(program, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    // The channel carries nothing: its end tells the child that this process has died.
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, GODWIT_LAUNCHER: String(process.pid) },
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => {
      // Ctrl-C in a terminal reaches the child by itself; twice would mean "at once".
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    console.error(`godwit could not start ${program}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

/** Whoever kills the launcher, for good and without a word, means this process. */
function dieWithLauncher() {
  const launcher = process.env.GODWIT_LAUNCHER;
  delete process.env.GODWIT_LAUNCHER;
  if (launcher === undefined || launcher !== String(process.ppid) || process.channel === undefined) return;
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  process.channel.unref();
}

/** Some releases of Node 24 announce on every start that node:sqlite is experimental. */
function silenceSqliteNews() {
  const emitWarning = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    if (!String(warning).startsWith("SQLite is an experimental feature")) emitWarning.call(process, warning, ...rest);
  };
}
