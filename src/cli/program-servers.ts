// Commands that serve others: dev, server.
import { Command } from "commander";
import type { DevOptions } from "./commands/dev.ts";
import type { KeyOptions, ServerCommandOptions } from "./commands/server.ts";
import { type Finish, optionsOf, withCommonOptions } from "./program-options.ts";
import type { Io } from "./terminal.ts";

export const servingCommands = (io: Io, finish: Finish): readonly Command[] => [
  devCommand(io, finish),
  serverCommand(io, finish),
];

function devCommand(io: Io, finish: Finish): Command {
  const command = withAddress(withCommonOptions(new Command("dev")))
    .description("serve this project on this machine, without login")
    .argument("[files...]", "files whose tasks are deployed, again whenever they change")
    .addHelpText(
      "after",
      `
The server answers godwit --remote, the Python SDK and command line of Flyte 2, and curl:
  flyte create config --endpoint localhost:8090 --project default --domain development --insecure
  curl localhost:8090/flyteidl2.project.ProjectService/ListProjects -H 'content-type: application/json' -d '{}'

Ctrl-C stops it; runs go on with the next start.`,
    );
  command.action(async (files: readonly string[]) => {
    const { dev } = await import("./commands/dev.ts");
    finish(await dev(files, optionsOf<DevOptions>(command), io));
  });
  return command;
}

function serverCommand(io: Io, finish: Finish): Command {
  const command = withAddress(withConfig(new Command("server")))
    .description("serve a team; with keys: server create-key")
    .option("--public-url <url>", "how clients reach it, behind a proxy: https://godwit.example.org")
    .option("--auth <how>", "none, or keys: every call has to prove who makes it (default: none, on loopback only)")
    .option("--tls-cert <file>", "certificate for TLS, as PEM; without, a proxy has to add TLS for clients with keys")
    .option("--tls-key <file>", "the certificate's key, as PEM")
    .option("--log-level <level>", "debug, info, warn, error or silent (default: info)")
    .option("--webhooks <reach>", "where notifications may go: public, loopback or private (default: public)")
    .option("--log-format <format>", "json or text (default: json)")
    .addHelpText(
      "after",
      `
Settings come from the section "server" of the file, then from variables (GODWIT_PORT, GODWIT_AUTH, …), then from
flags. SIGTERM ends it in order: calls finish, and runs go on with the next start.`,
    );
  command.action(async () => {
    const { server } = await import("./commands/server.ts");
    finish(await server(optionsOf<ServerCommandOptions>(command), io));
  });
  for (const nested of keyCommands(io, finish)) command.addCommand(nested);
  return command;
}

function keyCommands(io: Io, finish: Finish): readonly Command[] {
  const create = withConfig(new Command("create-key"))
    .description("make a key for a program or a person; its secret is told once")
    .argument("<name>", "what its calls are recorded under")
    .option("--endpoint <host>", "also tell it as FLYTE_API_KEY, for the server of this name");
  create.action(async (name: string) => {
    const { createKey } = await import("./commands/server.ts");
    finish(await createKey(name, optionsOf<KeyOptions>(create), io));
  });
  const remove = withConfig(new Command("delete-key"))
    .description("take a key back; its tokens hold no longer")
    .argument("<name>", "name of the key");
  remove.action(async (name: string) => {
    const { deleteKey } = await import("./commands/server.ts");
    finish(await deleteKey(name, optionsOf<KeyOptions>(remove), io));
  });
  const list = withConfig(new Command("keys")).description("names of the keys there are");
  list.action(async () => {
    const { listKeys } = await import("./commands/server.ts");
    finish(await listKeys(optionsOf<KeyOptions>(list), io));
  });
  return [create, remove, list];
}

const withConfig = (command: Command): Command =>
  withCommonOptions(command).option(
    "--config <file>",
    "settings (default: GODWIT_CONFIG, else godwit.config.json beside the data directory)",
  );

const withAddress = (command: Command): Command =>
  command
    .option("--port <number>", "port to listen on (default: 8090); 0 is any free one")
    .option("--host <address>", "address to listen on (default: 127.0.0.1)");
