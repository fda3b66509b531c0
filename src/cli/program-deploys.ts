// Commands that put tasks on a server: deploy, promote.
import { Command } from "commander";
import type { DeployOptions, PromoteOptions } from "./commands/deploy.ts";
import { type Finish, optionsOf, withCommonOptions, withRemoteOption } from "./program-options.ts";
import type { Io } from "./terminal.ts";

export const deployingCommands = (io: Io, finish: Finish): readonly Command[] => [
  deployCommand(io, finish),
  promoteCommand(io, finish),
];

function deployCommand(io: Io, finish: Finish): Command {
  const command = withRemoteOption(withCommonOptions(new Command("deploy")))
    .description("put the tasks of a file on a server, to be started by name from anywhere")
    .argument("<file>", "the file that has the tasks")
    .option("--version <version>", "what this version is called (default: made of its content)")
    .addHelpText(
      "after",
      `
The code goes along with all that it needs, and is uploaded once. A version never changes: to deploy the same
again does nothing, and other content under a name that is taken is refused, with what differs.

Examples:
  godwit deploy pipeline.ts
  godwit deploy pipeline.ts --version v3 --domain staging --remote godwit.example.org:8090
  godwit run --remote --task penguins.main --depth 4`,
    );
  command.action(async (file: string) => {
    const { deploy } = await import("./commands/deploy.ts");
    finish(await deploy(file, optionsOf<DeployOptions>(command), io));
  });
  return command;
}

function promoteCommand(io: Io, finish: Finish): Command {
  const command = withRemoteOption(withCommonOptions(new Command("promote")))
    .description("make a deployed version one of another domain too, as it is")
    .argument("<task>", "its full name")
    .argument("<version>")
    .requiredOption("--to <domain>", "where it is to be: staging, production")
    .option("--triggers", "with the triggers that it has here")
    .addHelpText("after", "\nExample:\n  godwit promote penguins.main v3 --to production --triggers");
  command.action(async (task: string, version: string) => {
    const { promote } = await import("./commands/deploy.ts");
    finish(await promote(task, version, optionsOf<PromoteOptions>(command), io));
  });
  return command;
}
