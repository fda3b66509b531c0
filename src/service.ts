// Wires Godwit into a server: one data directory, one port. Beside godwit.ts the only file that goes past
// doors.
import { readFile } from "node:fs/promises";
import { type Auth, keyAuth, noAuth, readSigningKey, signerFor } from "./auth/auth.ts";
import { GodwitError } from "./core/error.ts";
import { deployBuiltIns, type Flyte, flyte } from "./flyte.ts";
import { type Godwit, makeDataDir, openGodwit } from "./godwit.ts";
import {
  answerPages,
  authenticated,
  createLinks,
  createMetrics,
  filePages,
  type Links,
  type Log,
  type Metrics,
  type Page,
  runPages,
  type Server,
  startServer,
  tokenPage,
} from "./server/server.ts";
import type { Decisions, ImageSettings, ServerSettings } from "./settings/settings.ts";

export type ServiceConfig = {
  readonly dataDir: string;
  readonly engine: Decisions;
  readonly server: ServerSettings;
  readonly images: ImageSettings;
  /** Who everybody is where no login is needed. */
  readonly user: string;
  readonly log: Log;
};

export type Service = {
  readonly godwit: Godwit;
  readonly server: Server;
  /** In order: no new calls, streams end, calls finish within the bound; runs go on with the next start. */
  close(): Promise<void>;
};

/** What the services of the wire are made of. */
type Parts = { readonly godwit: Godwit; readonly protocol: Flyte; readonly auth: Auth; readonly links: Links };

export async function openService(config: ServiceConfig): Promise<Service> {
  const { dataDir, engine, server: settings, images, log } = config;
  let taskPort = settings.port;
  const key = await signingKey(dataDir);
  const auth = authOf(config, key);
  const onText = (text: string): void => log.warn({}, text);
  const protocol = flyte({ dataDir, endpoint: () => `localhost:${taskPort}`, images, onText });
  const { executors, setWaiting } = protocol;
  const godwit = await openGodwit({ dataDir, settings: engine, executors, setWaiting, onText });
  const metrics = createMetrics(godwit.store);
  try {
    const links = createLinks({
      signer: signerFor(key, "links"),
      root: protocol.storage().root,
      publicUrl: settings.publicUrl,
      maxUploadBytes: settings.maxUploadBytes,
      nowMs: Date.now,
    });
    const server = await listen(config, { godwit, protocol, auth, links }, metrics);
    taskPort = server.taskPort;
    metrics.watch(server);
    await godwit.startTriggers({ reach: settings.webhooks, onProblem: (text) => log.warn({}, text) });
    godwit.serveAll((error, run) => log.error({ error, run }, "a run is not moved forward, for now"));
    return {
      godwit,
      server,
      close: async () => {
        await server.close(settings.drainMs);
        metrics.close();
        await godwit.close();
      },
    };
  } catch (error) {
    metrics.close();
    await godwit.close();
    throw error;
  }
}

/** Made for each call of a task; a stream outlives it. */
const taskTokenMs = 60_000;

/** The directory first, with all that belongs to a new one. */
async function signingKey(dataDir: string): Promise<Buffer> {
  await makeDataDir(dataDir);
  return readSigningKey(dataDir);
}

const authOf = ({ dataDir, server, user }: ServiceConfig, key: Buffer): Auth =>
  server.auth === "none" ? noAuth(user) : keyAuth({ dataDir, signer: signerFor(key, "tokens"), nowMs: Date.now });

async function listen({ server: settings, user, log }: ServiceConfig, parts: Parts, metrics: Metrics): Promise<Server> {
  const { host, port, secondPort, publicUrl, maxMessageBytes, maxUploadBytes, maxConnections, maxCalls } = settings;
  const around = await tracing();
  return startServer({
    host,
    port,
    secondPort,
    limits: { maxMessageBytes, maxUploadBytes, maxConnections, maxCalls },
    taskToken: parts.auth.isRequired ? () => parts.auth.taskToken(user, taskTokenMs) : null,
    certificate: await certificateOf(settings),
    hosts: parts.auth.isRequired ? null : [host, ...(publicUrl === null ? [] : [new URL(publicUrl).hostname])],
    routes: routesOf(parts),
    interceptors: [authenticated(parts.auth)],
    pages: [...pagesOf(parts), metrics.page],
    readiness: async () => {
      await parts.godwit.store.engines();
      return null;
    },
    onCall: (call) => metrics.call(call),
    ...(around === null ? {} : { around }),
    log,
  });
}

async function certificateOf({ tlsCert, tlsKey }: ServerSettings) {
  if (tlsCert === null && tlsKey === null) return null;
  if (tlsCert === null || tlsKey === null)
    throw new GodwitError("invalid_argument", "TLS needs both, a certificate and its key: --tls-cert and --tls-key.");
  try {
    const [cert, key] = await Promise.all([readFile(tlsCert, "utf8"), readFile(tlsKey, "utf8")]);
    return { cert, key };
  } catch (cause) {
    throw new GodwitError("failed_precondition", `TLS cannot be set up: ${(cause as Error).message}.`, { cause });
  }
}

/** Loaded where an operator has registered an OpenTelemetry SDK before: the API leaves a mark when one has. */
async function tracing() {
  if (!(Symbol.for("opentelemetry.js.api.1") in globalThis)) return null;
  return (await import("./server/tracing.ts")).traced;
}

const pagesOf = ({ godwit, protocol, auth, links }: Parts): readonly Page[] => [
  ...filePages(protocol.storage(), links),
  ...answerPages(godwit.control, links),
  ...(auth.isRequired ? [tokenPage(auth)] : []),
  ...runPages(godwit.control, async (headers) => (await auth.caller(headers)).subject),
];

/** No call is answered before what its client expects to be there is. */
const routesOf = (parts: Parts) => async () => {
  const { godwit, protocol, auth, links } = parts;
  const callerOf = async (headers: Headers) => (await auth.caller(headers)).subject;
  const [routes] = await Promise.all([protocol.routes(godwit, { callerOf, links }), deployBuiltIns(godwit)]);
  return routes;
};
