// `godwit dev`: a server for one person on this machine, without login.
import { type CommonOptions, dataDirOf, projectDirOf } from "../place.ts";
import { type ServerOptions, serveUntilStopped } from "../serving.ts";
import type { Io } from "../terminal.ts";

export type DevOptions = CommonOptions & Pick<ServerOptions, "port" | "host">;

export async function dev(_files: readonly string[], options: DevOptions, io: Io): Promise<number> {
  const dataDir = dataDirOf(options, io, projectDirOf(io.cwd));
  return serveUntilStopped({
    dataDir,
    config: null,
    options,
    io,
    defaults: { logFormat: "text", logLevel: "info", webhooks: "loopback" },
  });
}
