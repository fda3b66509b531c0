// What dev and server have in common: settings, the start, and the orderly end when a signal comes.
import type { Service } from "../service.ts";
import type { ServerFlags, ServerSettings } from "../settings/settings.ts";
import { Interrupted, Interrupts } from "./interrupts.ts";
import { type CommonOptions, userName } from "./place.ts";
import { giveBackWhenQuiet } from "./quiet-memory.ts";
import { type Io, paintFor, writeLine } from "./terminal.ts";

/** As commander collects them. */
export type ServerOptions = CommonOptions & ServerFlags;

export type Serving = {
  readonly dataDir: string;
  /** The settings' file, if it was named; else it is the one beside the data directory. */
  readonly config: string | null;
  readonly options: ServerOptions;
  readonly io: Io;
  readonly defaults: Partial<ServerSettings>;
  /** Called once the server answers. Returns how to stop what it began. */
  readonly begin?: (service: Service) => Promise<() => Promise<void>>;
};

export async function serveUntilStopped(serving: Serving): Promise<number> {
  const startedAtMs = performance.now();
  const { dataDir, io } = serving;
  const interrupts = new Interrupts(() => {});
  try {
    const [{ openService }, { openLog }, { readDecisions, readImageSettings, readServerSettings, settingsFile }] =
      await Promise.all([import("../service.ts"), import("../server/server.ts"), import("../settings/settings.ts")]);
    const env = serving.config === null ? io.env : { ...io.env, GODWIT_CONFIG: serving.config };
    const sources = { file: settingsFile({ dataDir, env }), isNamed: (env.GODWIT_CONFIG ?? "") !== "", env };
    const server = readServerSettings({ ...sources, flags: serving.options, defaults: serving.defaults });
    const images = readImageSettings(sources);
    const engine = readDecisions({ dataDir, env });
    const { logLevel: level, logFormat: format } = server;
    const log = openLog({ level, format, write: (line) => io.stderr.write(line) });
    const service = await openService({ dataDir, engine, server, images, user: userName(io), log });
    let stop = async (): Promise<void> => {};
    const keepMemory = giveBackWhenQuiet();
    try {
      await announce(service, serving, Math.round(performance.now() - startedAtMs));
      // Whoever calls before it is done waits for it, and is told if it fails, as the log is.
      void service.server.load().catch(() => {});
      stop = (await serving.begin?.(service)) ?? stop;
      return await interrupts.race(new Promise<never>(() => {}));
    } finally {
      keepMemory();
      log.info({}, "stopping: calls may finish, and runs go on with the next start");
      await stop();
      await service.close();
    }
  } catch (error) {
    if (error instanceof Interrupted) return 0;
    throw error;
  } finally {
    interrupts.close();
  }
}

/** `--json`: one object for whoever started this and wants to know the port. */
async function announce({ server }: Service, { dataDir, options, io }: Serving, readyMs: number): Promise<void> {
  const { url, port, secondPort } = server;
  if (options.json === true) {
    await writeLine(io.stdout, JSON.stringify({ url, host: server.host, port, secondPort, dataDir, readyMs }));
    return;
  }
  const paint = paintFor(io.stdout, io.env);
  const pages = secondPort === null ? url : `http://localhost:${secondPort}`;
  await writeLine(io.stdout, `${paint("bold", "Godwit")} is ready ${paint("dim", `after ${readyMs} ms`)}`);
  await writeLine(io.stdout, `  server      ${url}`);
  await writeLine(io.stdout, `  dashboard   ${pages}/`);
  await writeLine(io.stdout, `  data        ${dataDir}`);
}
