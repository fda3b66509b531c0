// `godwit dev`: a server for one person on this machine, without login.
import { Interrupted, Interrupts } from "../interrupts.ts";
import { type CommonOptions, dataDirOf, projectDirOf } from "../place.ts";
import { type Io, paintFor, writeLine } from "../terminal.ts";

export type DevOptions = CommonOptions & { readonly port?: number; readonly host?: string };

export async function dev(_files: readonly string[], options: DevOptions, io: Io): Promise<number> {
  const startedAtMs = performance.now();
  const dataDir = dataDirOf(options, io, projectDirOf(io.cwd));
  const interrupts = new Interrupts(() => {});
  const [{ openService }, { openLog }, { readDecisions }] = await Promise.all([
    import("../../service.ts"),
    import("../../server/server.ts"),
    import("../../settings/settings.ts"),
  ]);
  const log = openLog({ level: "info", format: "text", write: (line) => io.stderr.write(line) });
  const port = options.port ?? 8090;
  const service = await openService({
    dataDir,
    settings: readDecisions({ dataDir, env: io.env }),
    host: options.host ?? "127.0.0.1",
    port,
    secondPort: port === 8090 ? 8080 : null,
    log,
  });
  try {
    const paint = paintFor(io.stdout, io.env);
    await writeLine(
      io.stdout,
      `${paint("bold", "Godwit")} is ready (${Math.round(performance.now() - startedAtMs)} ms)`,
    );
    await writeLine(io.stdout, `  server     ${service.server.url}`);
    await writeLine(io.stdout, `  data       ${dataDir}`);
    return await interrupts.race(new Promise<never>(() => {}));
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return 0;
  } finally {
    await service.close();
    interrupts.close();
  }
}
