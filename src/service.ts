// Wires Godwit into a server: one data directory, one port. Beside godwit.ts the only file that goes past
// doors.
import type { ConnectRouter } from "@connectrpc/connect";
import { type Godwit, openGodwit } from "./godwit.ts";
import { defaultLimits, type Log, type Server, startServer } from "./server/server.ts";
import type { Decisions } from "./settings/settings.ts";

export type ServiceConfig = {
  readonly dataDir: string;
  readonly settings: Decisions;
  readonly host: string;
  readonly port: number;
  readonly secondPort: number | null;
  readonly log: Log;
};

export type Service = {
  readonly godwit: Godwit;
  readonly server: Server;
  /** In order: no new calls, streams end, calls finish within the bound; runs go on with the next start. */
  close(): Promise<void>;
};

/** How long calls that are under way may take to finish once the server is to end. */
const drainMs = 10_000;

export async function openService({ dataDir, settings, host, port, secondPort, log }: ServiceConfig): Promise<Service> {
  const godwit = await openGodwit({ dataDir, settings, onText: (text) => log.warn({}, text) });
  try {
    const server = await startServer({
      host,
      port,
      secondPort,
      limits: defaultLimits,
      routes: routesOf(godwit),
      pages: [],
      readiness: async () => {
        await godwit.store.engines();
        return null;
      },
      log,
    });
    return {
      godwit,
      server,
      close: async () => {
        await server.close(drainMs);
        await godwit.close();
      },
    };
  } catch (error) {
    await godwit.close();
    throw error;
  }
}

/** The services of the wire are mounted here. */
const routesOf =
  (_godwit: Godwit) =>
  (_router: ConnectRouter): void => {};
