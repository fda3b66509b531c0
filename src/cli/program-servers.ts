// Commands that serve others: dev, server.
import { Command, InvalidArgumentError, Option } from "commander";
import type { DevOptions } from "./commands/dev.ts";
import { type Finish, optionsOf, withCommonOptions } from "./program-options.ts";
import type { Io } from "./terminal.ts";

export const servingCommands = (io: Io, finish: Finish): readonly Command[] => [devCommand(io, finish)];

function devCommand(io: Io, finish: Finish): Command {
  const command = withCommonOptions(new Command("dev"))
    .description("serve this project to its SDKs, the Flyte CLI and curl, on this machine")
    .argument("[files...]", "files whose tasks are deployed, again whenever they change")
    .addOption(new Option("--port <number>", "port to listen on (default: 8090); 0 is any free one").argParser(port))
    .option("--host <address>", "address to listen on (default: 127.0.0.1)");
  command.action(async (files: readonly string[]) => {
    const { dev } = await import("./commands/dev.ts");
    finish(await dev(files, optionsOf<DevOptions>(command), io));
  });
  return command;
}

function port(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text);
  throw new InvalidArgumentError("Expected a port: a whole number from 0 to 65535.");
}
