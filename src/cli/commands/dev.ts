// `godwit dev`: a server for one person on this machine, without login, with the tasks of the files that are named.

import type { Service } from "../../service.ts";
import { errorLines } from "../error-report.ts";
import { type CommonOptions, dataDirOf, projectDirOf, sourceFile } from "../place.ts";
import { type ServerOptions, serveUntilStopped } from "../serving.ts";
import { type Io, paintFor, writeLine } from "../terminal.ts";

export type DevOptions = CommonOptions & Pick<ServerOptions, "port" | "host">;

export async function dev(names: readonly string[], options: DevOptions, io: Io): Promise<number> {
  const files = names.map((name) => sourceFile(name, io));
  const dataDir = dataDirOf(options, io, projectDirOf(io.cwd));
  return serveUntilStopped({
    dataDir,
    config: null,
    options,
    io,
    defaults: { webhooks: "loopback", logFormat: "text", logLevel: "info" },
    begin: (service) => (files.length === 0 ? Promise.resolve(async () => {}) : deployed(files, options, io, service)),
  });
}

async function deployed(
  files: readonly string[],
  { project, domain, dataDir }: DevOptions,
  io: Io,
  { server }: Service,
): Promise<() => Promise<void>> {
  const [{ keepDeployed }, { deploy }] = await Promise.all([import("../redeployment.ts"), import("./deploy.ts")]);
  const common = {
    remote: server.url,
    ...(project === undefined ? {} : { project }),
    ...(domain === undefined ? {} : { domain }),
    ...(dataDir === undefined ? {} : { dataDir }),
  };
  const paint = paintFor(io.stderr, io.env);
  return keepDeployed({
    files,
    deploy: async (file) => {
      await deploy(file, common, io);
    },
    onError: (file, error) => {
      const lines = [`${file} is not deployed, until it changes:`, ...errorLines(error, paint, false)];
      void writeLine(io.stderr, lines.join("\n"));
    },
  });
}
