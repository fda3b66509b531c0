// `godwit get tasks --remote`, `godwit get task --remote`: what is deployed on a server.
import type { DeployedSummary } from "../../client/client.ts";
import type { CommonOptions } from "../place.ts";
import { clientFor } from "../remote-session.ts";
import { taskLines } from "../task-help.ts";
import { type Io, write, writeJson, writeLine } from "../terminal.ts";
import { ageText, table } from "../text.ts";

/** Tasks that are listed, those that were deployed last first. */
const maxTasks = 10_000;
const pageSize = 1_000;

export async function getDeployedTasks(options: CommonOptions, io: Io): Promise<number> {
  const { client } = clientFor(options, io);
  const tasks: DeployedSummary[] = [];
  let token: string | null = "";
  do {
    const page: Awaited<ReturnType<typeof client.listTasks>> = await client.listTasks({ limit: pageSize, token });
    tasks.push(...page.items);
    token = page.token;
  } while (token !== null && tasks.length < maxTasks);
  if (options.json === true) await writeJson(io, tasks.map(taskRecord));
  else if (tasks.length === 0)
    await writeLine(io.stdout, "No tasks are deployed there. `godwit deploy FILE` deploys those of a file.");
  else {
    const rows = tasks.map(({ name, version, deployedAtMs, deployedBy }) => [
      name,
      version,
      ageText(deployedAtMs, Date.now()),
      deployedBy,
    ]);
    await write(io.stdout, `${table(["TASK", "VERSION", "DEPLOYED", "BY"], rows).join("\n")}\n`);
  }
  return 0;
}

export async function getDeployedTask(
  name: string,
  options: CommonOptions & { readonly version?: string },
  io: Io,
): Promise<number> {
  const { client } = clientFor(options, io);
  const task = await client.task(name, options.version ?? null);
  if (options.json === true) await writeJson(io, { ...taskRecord(task), spec: task.spec });
  else {
    const deployed = `version ${task.version}, deployed ${ageText(task.deployedAtMs, Date.now())} by ${task.deployedBy}`;
    await write(io.stdout, `${[...taskLines(task.spec, io.stdout.columns ?? 100), "", deployed].join("\n")}\n`);
  }
  return 0;
}

const taskRecord = ({ name, version, deployedAtMs, deployedBy }: DeployedSummary) => ({
  task: name,
  version,
  deployedAt: new Date(deployedAtMs).toISOString(),
  deployedBy,
});
