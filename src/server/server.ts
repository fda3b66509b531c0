// The door of the server: one port for calls (Connect, gRPC, gRPC-Web, JSON), files by signed URL, health,
// metrics and pages. It knows neither what the calls do nor what the pages show: both are given to it.
//
// R1  The port opens first: what is slow to load is loaded after it, and the first request that needs it waits.
//     `/readyz` says no before that is done.
// R2  It ends in order: no new connections, streams end with `unavailable`, calls finish within a bound, and
//     what is left is cut off.

import type { TLSSocket } from "node:tls";
import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import { GodwitError } from "../core/error.ts";
import { leaveUnread } from "./body.ts";
import { Calls } from "./calls.ts";
import { foreignCall } from "./hosts.ts";
import type { Log } from "./log.ts";
import { canTellUsers, isOwnUser } from "./own-user.ts";
import type { Page } from "./pages.ts";
import {
  type Certificate,
  isTaken,
  type NodeRequest,
  type NodeResponse,
  openPort,
  type Port,
  type RequestListener,
} from "./port.ts";
import { refuse, statusOf } from "./refusal.ts";
import type { Around, Call, Rpc } from "./rpc.ts";

export { answerPages } from "./answers.ts";
export { type FileStore, filePages } from "./files.ts";
export { createLinks, type Link, type Links } from "./links.ts";
export { type Log, type LogLevel, openLog, silentLog } from "./log.ts";
export { authenticated, tokenPage } from "./login.ts";
export { createMetrics, type Metrics } from "./metrics.ts";
export type { Page } from "./pages.ts";
export { runPages } from "./run-pages.ts";

export type ServerLimits = {
  /** Of one message of a call, unpacked; uploads have a bound of their own. */
  readonly maxMessageBytes: number;
  readonly maxUploadBytes: number;
  readonly maxConnections: number;
  /** Calls and streams open at once, over all connections. */
  readonly maxCalls: number;
};

export const defaultLimits: ServerLimits = {
  maxMessageBytes: 64 * 1024 * 1024,
  maxUploadBytes: 5 * 1024 * 1024 * 1024,
  maxConnections: 15_000,
  maxCalls: 20_000,
};

export type ServerOptions = {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** A second one for the same, if it is free. */
  readonly secondPort: number | null;
  /** Null: without TLS, which a proxy may add. */
  readonly certificate: Certificate | null;
  readonly limits: ServerLimits;
  /** Names under which alone the server may be called, besides its addresses; null: any. See hosts.ts. */
  readonly hosts: readonly string[] | null;
  /**
   * Makes a token for tasks on this machine, which then have a port of their own on loopback, for processes of this
   * user alone (own-user.ts). Null: they use the first port, as it asks nobody.
   */
  readonly taskToken: (() => string) | null;
  /** R1. Loads the services: `(router) => router.service(…)`. */
  readonly routes: () => Promise<(router: ConnectRouter) => void>;
  /** What may refuse a call before its handler. GodwitErrors are translated outside of them. */
  readonly interceptors?: readonly Interceptor[];
  /** What is not a call. The first whose method and path fit answers. */
  readonly pages: readonly Page[];
  /** Null when work can be done; else why not. */
  readonly readiness: () => Promise<string | null>;
  readonly onCall?: (call: Call) => void;
  /** Runs a call's handler within what belongs to it: a trace. */
  readonly around?: Around;
  readonly log: Log;
};

export type Server = {
  readonly host: string;
  readonly port: number;
  /** Null if it was taken, or is not wanted. */
  readonly secondPort: number | null;
  readonly url: string;
  /** Where tasks on this machine reach it. */
  readonly taskPort: number;
  connections(): number;
  /** Calls and streams under way. */
  calls(): number;
  /**
   * R1. Loads what calls need, if it is not there yet: after whoever started this has said that it is ready, and
   * before the first call if that comes sooner. Rejects if it cannot be loaded; the log has it.
   */
  load(): Promise<void>;
  /** R2. Resolves when everything has ended. */
  close(drainMs: number): Promise<void>;
};

/** Streams that one HTTP/2 connection may have open. */
const maxStreams = 1_000;

export async function startServer(options: ServerOptions): Promise<Server> {
  const site: Site = new Site(options, () => calls.load());
  const calls: Calls = new Calls({
    load: async () => loadRpc(options),
    maxCalls: options.limits.maxCalls,
    onProblem: (error) => options.log.error({ error }, "what answers calls could not be loaded"),
    otherwise: (request, response) => site.serve(request, response),
  });
  const answer = (request: NodeRequest, response: NodeResponse): void => {
    const foreign = options.hosts === null ? null : foreignCall(request, options.hosts);
    if (foreign !== null) {
      refuse(request, response, "permission_denied", foreign);
      leaveUnread(request, response);
    } else if (calls.takes(request)) calls.serve(request, response);
    else site.serve(request, response);
  };
  const onRequest = (request: NodeRequest, response: NodeResponse): void => {
    // A client that goes away in the middle is its own business.
    request.on("error", () => {});
    response.on("error", () => {});
    // Who makes links has to know how the client came here.
    if ((request.socket as Partial<TLSSocket>).encrypted === true) request.headers["x-forwarded-proto"] = "https";
    try {
      answer(request, response);
    } catch (error) {
      // Nothing that anybody sends may end the server.
      options.log.error({ error }, "a request failed, and should not have");
      response.destroy();
    }
  };
  const { maxConnections } = options.limits;
  const open = (host: string, port: number, listener = onRequest, certificate = options.certificate): Promise<Port> =>
    openPort({ host, port, certificate, maxConnections, maxStreams, onRequest: listener });
  const port = await open(options.host, options.port);
  const second =
    options.secondPort === null
      ? null
      : await open(options.host, options.secondPort).catch((error) => noSecond(error, options));
  const forTasks =
    options.taskToken === null || !canTellUsers()
      ? null
      : await open("127.0.0.1", 0, ofOwnUser(options.taskToken, onRequest), null);
  const ports = [port, second, forTasks].filter((each) => each !== null);
  return {
    host: port.host,
    port: port.port,
    secondPort: second?.port ?? null,
    url: urlOf(options.certificate === null ? "http" : "https", port),
    taskPort: (forTasks ?? port).port,
    connections: () => ports.reduce((sum, each) => sum + each.connections(), 0),
    calls: () => calls.open(),
    load: () => calls.load(),
    close: (drainMs) => drain({ ports, calls, site }, drainMs),
  };
}

async function loadRpc(options: ServerOptions): Promise<Rpc> {
  const [{ createRpc }, routes] = await Promise.all([import("./rpc.ts"), options.routes()]);
  return createRpc({
    routes,
    maxMessageBytes: options.limits.maxMessageBytes,
    maxCalls: options.limits.maxCalls,
    interceptors: options.interceptors ?? [],
    ...(options.around === undefined ? {} : { around: options.around }),
    onCall: (call) => {
      options.onCall?.(call);
      const { service, method, code, durationMs, error } = call;
      const fields = { service, method, code, ms: Math.round(durationMs) };
      if (error === null) options.log.debug(fields, "call");
      else options.log.error({ ...fields, error }, "a call failed, and should not have");
    },
  });
}

/** A process of this user needs no token: it gets one. */
const ofOwnUser =
  (token: () => string, onRequest: RequestListener): RequestListener =>
  (request, response) => {
    void isOwnUser(request.socket).then((isOwn) => {
      if (isOwn) request.headers.authorization = `Bearer ${token()}`;
      else delete request.headers.authorization;
      onRequest(request, response);
    });
  };

/** It is for links only; the first port serves all there is. */
function noSecond(error: unknown, { log, secondPort }: ServerOptions): null {
  if (!isTaken(error)) throw error;
  log.warn({ port: secondPort }, "the second port is taken, so links to it that the Flyte CLI prints lead elsewhere");
  return null;
}

type Parts = { readonly ports: readonly Port[]; readonly calls: Calls; readonly site: Site };

/** R2. */
async function drain({ ports, calls, site }: Parts, drainMs: number): Promise<void> {
  calls.stopStreams();
  for (const port of ports) port.stopAccepting();
  await within(Promise.all([calls.idle(), site.idle()]), drainMs);
  calls.stopAll();
  await within(Promise.all(ports.map(({ ended }) => ended)), 500);
  for (const port of ports) port.destroy();
  await Promise.all(ports.map(({ ended }) => ended));
  await site.close();
}

async function within(work: Promise<unknown>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, ms);
  await Promise.race([work, late.promise]);
  clearTimeout(timer);
}

const urlOf = (scheme: string, { host, port }: Port): string => `${scheme}://${hostText(host)}:${port}`;

/** As it stands in a URL; an address that means every address is reached as this machine. */
function hostText(host: string): string {
  if (host === "0.0.0.0" || host === "::" || host === "127.0.0.1" || host === "::1") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}

/** R1: health at once, the rest by a router that is loaded when somebody asks for a page. */
class Site {
  readonly #options: ServerOptions;
  readonly #loadCalls: () => Promise<void>;
  #router: Promise<import("./pages.ts").Router> | null = null;
  #open = 0;
  #idle: PromiseWithResolvers<void> | null = null;

  constructor(options: ServerOptions, loadCalls: () => Promise<void>) {
    this.#options = options;
    this.#loadCalls = loadCalls;
  }

  #load(): Promise<import("./pages.ts").Router> {
    this.#router ??= import("./pages.ts").then(({ createPages }) => createPages(this.#options));
    return this.#router;
  }

  serve(request: NodeRequest, response: NodeResponse): void {
    this.#open++;
    response.once("close", () => this.#ended());
    response.once("finish", () => leaveUnread(request, response));
    void this.#serve(request, response).catch((error: unknown) => {
      this.#options.log.error({ error }, "a request failed, and should not have");
      if (response.headersSent) response.destroy();
      else refuse(request, response, "internal", "This should not have happened; the server's log says more.");
    });
  }

  async #serve(request: NodeRequest, response: NodeResponse): Promise<void> {
    if (request.method === "GET" && request.url === "/healthz") return text(response, 200, "ok\n");
    if (request.method === "GET" && request.url === "/readyz") {
      const reason = await readinessOf(this.#options, this.#loadCalls);
      return reason === null ? text(response, 200, "ready\n") : text(response, statusOf("unavailable"), `${reason}\n`);
    }
    (await this.#load()).serve(request, response);
  }

  #ended(): void {
    this.#open--;
    if (this.#open === 0) this.#idle?.resolve();
  }

  idle(): Promise<void> {
    this.#idle = Promise.withResolvers();
    if (this.#open === 0) this.#idle.resolve();
    return this.#idle.promise;
  }

  async close(): Promise<void> {
    const router = await this.#router?.catch(() => null);
    await router?.close();
  }
}

async function readinessOf({ readiness }: ServerOptions, loadCalls: () => Promise<void>): Promise<string | null> {
  const hasLoaded = await loadCalls().then(
    () => true,
    () => false,
  );
  if (!hasLoaded) return "What answers calls could not be loaded; the server's log says more.";
  try {
    return await readiness();
  } catch (error) {
    return error instanceof GodwitError ? error.message : "The database does not answer.";
  }
}

function text(response: NodeResponse, status: number, body: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" });
  response.end(body);
}
