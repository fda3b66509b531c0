// `npm run demo`: runs the penguins example as a user would, and puts its results where they are easily found.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const results = "examples/penguins/results";
// Every demo is a run of its own; the second one shows the cache at work.
const name = `demo-${Date.now().toString(36)}`;

/** Ends the demo with the command's own words and exit code if it fails. */
function godwit(args: readonly string[], stdout: "inherit" | "pipe"): string {
  if (stdout === "inherit") console.log(`\n$ npx godwit ${args.join(" ")}\n`);
  const command = spawnSync(process.execPath, [join(root, "bin/godwit.js"), ...args], {
    cwd: root,
    stdio: ["inherit", stdout, "inherit"],
    encoding: "utf8",
  });
  if (command.status !== 0) process.exit(command.status ?? 1);
  return command.stdout ?? "";
}

/** Path of the page that the action wrote; of a cached one, that of the action whose result it took. */
function reportOf(run: string, action: string): string {
  const view = JSON.parse(godwit(["get", "action", run, action, "--json"], "pipe")) as ActionView;
  if (view.report !== null) return view.report;
  const [origin, original] = (view.reusedFrom ?? "").split("/");
  if (origin === undefined || original === undefined) throw new Error(`${action} of ${run} has no report`);
  return reportOf(origin, original);
}

type ActionView = { readonly report: string | null; readonly reusedFrom: string | null };

godwit(["run", "examples/penguins/pipeline.ts", "main", "--name", name], "inherit");

// Those of an earlier demo are read-only, as what Godwit hands out is.
rmSync(join(root, results), { recursive: true, force: true });
mkdirSync(join(root, results), { recursive: true });
godwit(["get", "output", name, "model", "--to", `${results}/model.json`], "pipe");
for (const [action, file] of [
  ["main", "sweep.html"],
  ["evaluate", "evaluation.html"],
] as const) {
  copyFileSync(reportOf(name, action), join(root, results, file));
}

console.log(`
Results:
  ${results}/model.json        the best model
  ${results}/evaluation.html   how it did on penguins that it had not seen, with plots
  ${results}/sweep.html        all models of the sweep

Go on with:
  npm run demo                                                again: all but main comes from the cache
  npx godwit get run ${name}                           the tree of calls
  npx godwit logs ${name}                              what the tasks printed
  npx godwit why ${name} clean                         why the cache had it, or had not
  npx godwit run examples/penguins/pipeline.ts main --help    inputs to change
  npx godwit run examples/digits/pipeline.ts --name digits    training with checkpoints: kill it, then
  npx godwit resume digits                                    … let it go on`);
