// A process that runs a task in a warm interpreter and prints the task's processes, until it is killed.
import { launchOf, logged, openExecutor } from "./python.fixture.ts";

const [python = "", bin = ""] = process.argv.slice(2);
const executor = openExecutor({ python, bin });
executor.ensureLaunched([launchOf({ function: "wait" })]);
const timer = setInterval(() => {
  const line = logged.find(({ stream }) => stream === "stdout");
  if (line === undefined) return;
  clearInterval(timer);
  process.stdout.write(`${line.text}\n`);
}, 10);
