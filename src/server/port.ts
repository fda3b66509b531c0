// One port for HTTP/1.1 and HTTP/2, with or without TLS: the first bytes of a connection tell which it is.
//
// It opens before HTTP/2 and TLS are loaded: each takes 30 ms. Node's `http` is not imported but asked for: an import
// loads all that it exports, a second client of 40 ms and 14 MB among it.
//
// R1  Every bound refuses in words that the client can read: too many connections get an answer, not a reset.
// R2  Whoever is slow to begin is let go: a connection that has not said what it speaks, a request whose head
//     does not end. A stream that is open may be silent for as long as it likes.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2Server, ServerHttp2Session } from "node:http2";
import { createServer as createTcp, type Socket, type Server as TcpServer } from "node:net";
import { GodwitError } from "../core/error.ts";

/** Those of HTTP/2 have the same methods, and are told apart by `httpVersionMajor`. */
export type NodeRequest = IncomingMessage;
export type NodeResponse = ServerResponse;
export type RequestListener = (request: NodeRequest, response: NodeResponse) => void;

/** PEM. */
export type Certificate = { readonly cert: string; readonly key: string };

export type PortOptions = {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Null: without TLS. */
  readonly certificate: Certificate | null;
  readonly maxConnections: number;
  /** Open at once on one connection. */
  readonly maxStreams: number;
  /** R2: for the first bytes, and for the head of a request. */
  readonly headMs?: number;
  readonly onRequest: RequestListener;
};

export type Port = {
  readonly host: string;
  readonly port: number;
  connections(): number;
  /** From now on nobody is taken in; what is open goes on. */
  stopAccepting(): void;
  /** Resolves when the last connection has ended. */
  readonly ended: Promise<void>;
  /** Ends every connection, whatever it is doing. */
  destroy(): void;
};

/** What an HTTP/2 client says first, before anything else. */
const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const defaultHeadMs = 10_000;
/** Between two requests on a connection. Longer than the minute that most clients and proxies keep theirs. */
const keepAliveMs = 75_000;

export async function openPort(options: PortOptions): Promise<Port> {
  const sockets = new Set<Socket>();
  const protocols = openProtocols(options);
  const server = createListener(options, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    // What a client that is gone could still be told. Whoever reads or writes there sees it as well.
    socket.on("error", () => {});
    sniff(socket, options.headMs ?? defaultHeadMs, (isHttp2) => {
      if (sockets.size > options.maxConnections) refuse(socket, isHttp2, options.maxConnections);
      else protocols.take(socket, isHttp2);
    });
  });
  await listening(server, options);
  const address = server.address() as { readonly port: number };
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  return {
    host: options.host,
    port: address.port,
    connections: () => sockets.size,
    stopAccepting: () => {
      server.close();
      protocols.close();
    },
    ended,
    destroy: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}

function createListener(
  { certificate, headMs = defaultHeadMs }: PortOptions,
  take: (socket: Socket) => void,
): TcpServer {
  const connection = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
  if (certificate === null) return createTcp(connection, take);
  try {
    const { createServer: createTls } = process.getBuiltinModule("node:tls");
    const { cert, key } = certificate;
    return createTls({ ...connection, cert, key, handshakeTimeout: headMs, ALPNProtocols: ["h2", "http/1.1"] }, take);
  } catch (cause) {
    const message = `The certificate and its key cannot be used: ${(cause as Error).message}. Both have to be PEM files that belong together.`;
    throw new GodwitError("failed_precondition", message, { cause });
  }
}

function openProtocols({ onRequest, maxStreams, headMs = defaultHeadMs }: PortOptions) {
  const { createServer } = process.getBuiltinModule("node:http");
  const http1 = createServer(
    {
      headersTimeout: headMs,
      // How long a body takes is watched where it is read: uploads may be long.
      requestTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      connectionsCheckingInterval: headMs / 5,
      noDelay: true,
    },
    onRequest,
  );
  // It never listens itself, and only then would it look after those that are slow (R2).
  http1.emit("listening");
  http1.on("clientError", (error: NodeJS.ErrnoException, socket) => answerBadRequest(error, socket as Socket));
  const sessions = new Set<ServerHttp2Session>();
  let http2: Http2Server | null = null;
  return {
    take: (socket: Socket, isHttp2: boolean) => {
      if (isHttp2) http2 ??= openHttp2(sessions, maxStreams, onRequest);
      (isHttp2 && http2 !== null ? http2 : http1).emit("connection", socket);
    },
    close: () => {
      // Each tells its clients to go elsewhere with their next request.
      http1.close();
      http1.closeIdleConnections();
      for (const session of sessions) session.close();
    },
  };
}

function openHttp2(sessions: Set<ServerHttp2Session>, maxStreams: number, onRequest: RequestListener): Http2Server {
  const { createServer } = process.getBuiltinModule("node:http2");
  const http2 = createServer({ settings: { maxConcurrentStreams: maxStreams } }, (request, response) =>
    onRequest(request as unknown as NodeRequest, response as unknown as NodeResponse),
  );
  http2.on("sessionError", () => {});
  http2.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  return http2;
}

/** Calls back once it is clear, with nothing taken out of the stream. */
function sniff(socket: Socket, headMs: number, onKnown: (isHttp2: boolean) => void): void {
  const timer = setTimeout(() => socket.destroy(), headMs);
  socket.once("close", () => clearTimeout(timer));
  let seen = Buffer.alloc(0);
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const length = Math.min(seen.length, preface.length);
    const isLike = seen.subarray(0, length).equals(preface.subarray(0, length));
    if (isLike && length < preface.length) return;
    clearTimeout(timer);
    socket.off("readable", onReadable);
    socket.off("end", onEnd);
    socket.unshift(seen);
    onKnown(isLike);
  };
  const onEnd = (): void => void socket.destroy();
  socket.on("readable", onReadable);
  socket.once("end", onEnd);
}

/** R1. */
function refuse(socket: Socket, isHttp2: boolean, most: number): void {
  // An HTTP/2 client reads a GOAWAY frame: stream 0, last stream 0, ENHANCE_YOUR_CALM; after empty settings.
  const goAway = Buffer.from("00000004000000000000000807000000000000000000" + "0000000b", "hex");
  if (isHttp2) socket.end(goAway);
  else {
    const message = `This server has ${most} connections open, and takes no more for now. Try again later.`;
    socket.end(plainAnswer("429 Too Many Requests", "resource_exhausted", message));
  }
  // Somebody who does not read it is not waited for.
  socket.setTimeout(1_000, () => socket.destroy());
  socket.resume();
}

function answerBadRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const isSlow = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const isLarge = error.code === "HPE_HEADER_OVERFLOW";
  if (isSlow)
    socket.end(plainAnswer("408 Request Timeout", "deadline_exceeded", "The head of the request did not end."));
  else if (isLarge)
    socket.end(
      plainAnswer("431 Request Header Fields Too Large", "resource_exhausted", "The request has too many headers."),
    );
  else socket.end(plainAnswer("400 Bad Request", "invalid_argument", "This is not a request as HTTP/1.1 has it."));
  socket.setTimeout(1_000, () => socket.destroy());
}

function plainAnswer(status: string, code: string, message: string): string {
  const body = JSON.stringify({ code, message });
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
}

function listening(server: TcpServer, { host, port }: PortOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(cannotListen(error, host, port)));
    server.listen({ host, port, backlog: 4_096 }, () => {
      server.removeAllListeners("error");
      resolve();
    });
  });
}

export const isTaken = (error: unknown): boolean =>
  error instanceof GodwitError && (error.cause as NodeJS.ErrnoException | undefined)?.code === "EADDRINUSE";

function cannotListen(cause: NodeJS.ErrnoException, host: string, port: number): GodwitError {
  const what: { readonly [code: string]: string } = {
    EADDRINUSE: `The port ${port} is taken on ${host}: another server listens there. Choose another with --port, or end that one.`,
    EACCES: `This user may not listen on the port ${port}. Choose one from 1024 on with --port.`,
    EADDRNOTAVAIL: `This machine has no address ${host}. Choose one of its own with --host.`,
    ENOTFOUND: `There is no address for the name ${host}. Choose another with --host.`,
  };
  const message = what[cause.code ?? ""] ?? `Nothing can listen on ${host}:${port}: ${cause.message}.`;
  return new GodwitError("failed_precondition", message, { cause });
}
