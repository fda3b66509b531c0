// `npm run demo`: runs the penguins example as a user would, and puts its results where they are easily found.
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const results = "examples/penguins/results";
// Every demo is a run of its own; the second one shows the cache at work.
const name = `demo-${Date.now().toString(36)}`;

/** Ends the demo with the command's own words and exit code if it fails. */
function godwit(args: readonly string[], stdout: "inherit" | "pipe"): void {
  if (stdout === "inherit") console.log(`\n$ npx godwit ${args.join(" ")}\n`);
  const command = spawnSync(process.execPath, [join(root, "bin/godwit.js"), ...args], {
    cwd: root,
    stdio: ["inherit", stdout, "inherit"],
  });
  if (command.status !== 0) process.exit(command.status ?? 1);
}

godwit(["run", "examples/penguins/pipeline.ts", "main", "--name", name], "inherit");

godwit(["get", "output", name, "model", "--to", `${results}/model.json`], "pipe");
godwit(["get", "report", name, "main", "--to", `${results}/sweep.html`], "pipe");
godwit(["get", "report", name, "evaluate", "--to", `${results}/evaluation.html`], "pipe");

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
