// Carries calls between Node's requests and Connect's handlers: Connect, gRPC and gRPC-Web, over HTTP/1.1
// and h2c.
//
// R1  A slow reader slows its source: a message is asked for when the one before has been taken in, and at
//     most one is held beside what the socket buffers.
// R2  A client that is gone ends its handler, also one that waits for the client to read.
// R3  Whatever goes wrong is told by a code and words; what is our fault goes to the log. A request that cannot
//     be decoded is the caller's mistake, and Connect's library would call it internal.
// R4  While the server ends, streams end with `unavailable`, never with `canceled`, which clients take for good.

import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ContextValues,
  createConnectRouter,
  createContextKey,
  createContextValues,
  type Interceptor,
} from "@connectrpc/connect";
import type { UniversalHandler, UniversalServerResponse } from "@connectrpc/connect/protocol";
import type { ErrorCode } from "../core/error.ts";
import { bodyOf, leaveUnread } from "./body.ts";
import { connectErrorOf } from "./connect-error.ts";
import { Ending, endingText, endingWith } from "./ending.ts";
import { headerOf } from "./headers.ts";
import { gone, gzipCompression, universalRequest } from "./node-call.ts";
import type { NodeRequest, NodeResponse } from "./port.ts";
import { codeOfNumber, refuse } from "./refusal.ts";

export type RpcOptions = {
  readonly routes: (router: ConnectRouter) => void;
  /** Of one message, packed and unpacked. */
  readonly maxMessageBytes: number;
  /** Calls and streams open at once; more are refused. */
  readonly maxCalls: number;
  /** Inside the translation of errors: what may refuse a call before its handler. */
  readonly interceptors?: readonly Interceptor[];
  readonly onCall: (call: Call) => void;
  /** Runs the handler within what belongs to the call: a trace. */
  readonly around?: Around;
};

/** `headers` may be changed before the handler sees them. */
export type Around = (call: { readonly service: string; readonly method: string; readonly headers: Headers }) => {
  run<T>(work: () => T): T;
  end(code: ErrorCode | "ok"): void;
};

/** A call that has ended. `error`: what is our fault. */
export type Call = {
  readonly service: string;
  readonly method: string;
  readonly code: ErrorCode | "ok";
  readonly durationMs: number;
  readonly error: unknown;
};

export type Rpc = {
  /** Whether the path is that of a call, known or not. */
  takes(request: NodeRequest): boolean;
  serve(request: NodeRequest, response: NodeResponse): void;
  open(): number;
  /** R4. Ends streams and refuses new calls; those under way go on. */
  stopStreams(): void;
  /** Ends what is still under way. */
  stopAll(): void;
  /** Resolves when no call is under way. */
  idle(): Promise<void>;
};

/** What becomes known of a call while it runs. */
type Course = { isDecoded: boolean; code: ErrorCode | "ok" | null; error: unknown };
const course = createContextKey<Course>({ isDecoded: false, code: null, error: null });

/** Between two pieces of a request that is one message. */
const idleBodyMs = 60_000;

export function createRpc(options: RpcOptions): Rpc {
  const streams = new Ending();
  const all = new Ending();
  const router = createConnectRouter({
    acceptCompression: [gzipCompression],
    readMaxBytes: options.maxMessageBytes,
    interceptors: [translated, endingWith(streams, all), ...(options.interceptors ?? [])],
  });
  options.routes(router);
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const services = new Set(router.handlers.map(({ service }) => service.typeName));
  const idle = new Idle();
  return {
    takes: (request) => handlers.has(pathOf(request)) || isCall(request),
    serve: (request, response) => {
      const handler = handlers.get(pathOf(request));
      if (handler === undefined) refuseUnknown(request, response, services);
      else if (streams.hasBegun) refuse(request, response, "unavailable", endingText);
      else if (idle.open >= options.maxCalls) {
        const message = `This server has ${options.maxCalls} calls under way, and takes no more for now. Try again later.`;
        refuse(request, response, "resource_exhausted", message);
      } else {
        idle.begin();
        void carry({ handler, request, response, all }, options)
          .catch((error: unknown) => {
            // Whatever anybody sends, the server goes on.
            const { service, method } = handler;
            options.onCall({ service: service.typeName, method: method.name, code: "internal", durationMs: 0, error });
            response.destroy();
          })
          .finally(() => idle.end());
        return;
      }
      leaveUnread(request, response);
    },
    open: () => idle.open,
    stopStreams: () => streams.begin(),
    stopAll: () => all.begin(),
    idle: () => idle.reached(),
  };
}

type Carried = {
  readonly handler: UniversalHandler;
  readonly request: NodeRequest;
  readonly response: NodeResponse;
  readonly all: Ending;
};

async function carry({ handler, request, response, all }: Carried, options: RpcOptions): Promise<void> {
  const startedAtMs = performance.now();
  const seen: Course = { isDecoded: false, code: null, error: null };
  const writer = new Writer(response);
  const { service, method } = { service: handler.service.typeName, method: handler.method.name };
  const contextValues: ContextValues = createContextValues().set(course, seen);
  const isOneMessage = handler.method.methodKind === "unary" || handler.method.methodKind === "server_streaming";
  const body = bodyOf(request, isOneMessage ? idleBodyMs : null);
  const call = universalRequest({ request, response, body, contextValues, ending: all });
  const around = options.around?.({ service, method, headers: call.header });
  const run = around?.run ?? (<T>(work: () => T): T => work());
  try {
    const answer = await run(() => handler(call));
    await send({ answer, request, response, writer, seen, run, input: handler.method.input.typeName });
    seen.code ??= codeOfStatus(answer.status);
  } catch (error) {
    // R2: what is left is to forget it.
    if (writer.isGone) seen.code = "canceled";
    seen.code ??= "internal";
    if (!(error instanceof ConnectError)) seen.error ??= error;
    response.destroy();
  }
  leaveUnread(request, response);
  around?.end(seen.code);
  options.onCall({ service, method, code: seen.code, durationMs: performance.now() - startedAtMs, error: seen.error });
}

type Sending = {
  readonly answer: UniversalServerResponse;
  readonly request: NodeRequest;
  readonly response: NodeResponse;
  readonly writer: Writer;
  readonly seen: Course;
  readonly run: <T>(work: () => T) => T;
  /** Name of the message that the method takes. */
  readonly input: string;
};

/** R1. */
async function send({ answer, request, response, writer, seen, run, input }: Sending): Promise<void> {
  const chunks = answer.body?.[Symbol.asyncIterator]();
  try {
    if (answer.status === 405 || answer.status === 415) {
      seen.code = "invalid_argument";
      refuse(request, response, seen.code, notOfACall(request), answer.status);
      return;
    }
    // Headers go out with the first piece: until then the handler may add some.
    let chunk = await run(() => chunks?.next());
    if (isInternal(answer, chunk?.value)) {
      if (!seen.isDecoded) {
        seen.code = "invalid_argument";
        refuse(request, response, seen.code, undecodable(input));
        return;
      }
      if (seen.code === "ok" && isJson(request)) {
        seen.code = "failed_precondition";
        refuse(request, response, seen.code, notInJson);
        return;
      }
    }
    response.writeHead(answer.status, Object.fromEntries(answer.header ?? []));
    while (chunk !== undefined && chunk.done !== true) {
      await writer.write(chunk.value);
      chunk = await run(() => chunks?.next());
    }
    if (answer.trailer !== undefined) response.addTrailers(Object.fromEntries(answer.trailer));
    await writer.end();
  } catch (error) {
    // R2.
    void chunks?.throw?.(error)?.catch(() => {});
    throw error;
  } finally {
    void chunks?.return?.(undefined)?.catch(() => {});
  }
}

const undecodable = (input: string): string =>
  `The request cannot be read as a message ${input}: it is damaged, or was made for another method.`;

/** What Connect's library refuses without a word. */
const notOfACall = (request: NodeRequest): string =>
  `A call is a POST in JSON (application/json), in protobuf (application/proto), or as gRPC has it; not a ${request.method} of ${JSON.stringify(headerOf(request, "content-type"))}. Streams are application/connect+json or application/connect+proto.`;

/** A handler that has done its part: what it answers holds values that somebody has sent as they must not be. */
const notInJson =
  "The answer has a value that JSON has no words for, such as NaN in a struct. Ask for it in protobuf: application/proto.";

const isJson = (request: NodeRequest): boolean => /json/.test(headerOf(request, "content-type"));

/** In each protocol's way: HTTP's status, gRPC's trailer, gRPC-Web's trailer within the body. */
function isInternal({ status, trailer }: UniversalServerResponse, first: Uint8Array | undefined): boolean {
  if (status === 500 || trailer?.get("grpc-status") === String(Code.Internal)) return true;
  return first?.[0] === 0x80 && /grpc-status: ?13\b/.test(Buffer.from(first).toString());
}

/** R1, R2. One pair of listeners for all that is written. */
class Writer {
  readonly #response: NodeResponse;
  isGone = false;
  #wait: PromiseWithResolvers<void> | null = null;

  constructor(response: NodeResponse) {
    this.#response = response;
    response.on("drain", () => this.#wait?.resolve());
    // HTTP/2's response says nothing more once it is closed, neither that it is nor that it drains.
    response.once("close", () => {
      this.isGone = true;
      this.#wait?.reject(gone());
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.isGone) throw gone();
    if (this.#response.write(bytes)) return;
    this.#wait = Promise.withResolvers();
    await this.#wait.promise;
    this.#wait = null;
  }

  end(): Promise<void> {
    if (this.isGone) return Promise.reject(gone());
    return new Promise((resolve) => {
      this.#response.once("close", () => resolve());
      this.#response.end(() => resolve());
    });
  }
}

/** R3. */
const translated: Interceptor = (next) => async (request) => {
  const seen = request.contextValues.get(course);
  const translate = (error: unknown): ConnectError => {
    const told = connectErrorOf(error, (bug) => {
      seen.error = bug;
    });
    seen.code = codeOfNumber(told.code);
    return told;
  };
  try {
    // A single message is there by now; those of a stream are decoded as they are asked for.
    seen.isDecoded = true;
    const response = await next(
      request.stream ? { ...request, message: decoded(request.message, request.method.input.typeName) } : request,
    );
    if (!response.stream) {
      seen.code = "ok";
      return response;
    }
    return { ...response, message: translatedStream(response.message, seen, translate) };
  } catch (error) {
    throw translate(error);
  }
};

async function* decoded<T>(messages: AsyncIterable<T>, input: string): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    const isInternal = error instanceof ConnectError && error.code === Code.Internal;
    throw isInternal ? new ConnectError(undecodable(input), Code.InvalidArgument) : error;
  }
}

async function* translatedStream<T>(
  messages: AsyncIterable<T>,
  seen: Course,
  translate: (error: unknown) => ConnectError,
): AsyncGenerator<T> {
  try {
    yield* messages;
    seen.code = "ok";
  } catch (error) {
    throw translate(error);
  }
}

const pathOf = (request: NodeRequest): string => (request.url ?? "").split("?", 1)[0] as string;

/** `/some.package.Service/Method`: only calls look so. */
const isCall = (request: NodeRequest): boolean =>
  request.method === "POST" && /^\/[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+\/[A-Za-z0-9_]+$/.test(pathOf(request));

function refuseUnknown(request: NodeRequest, response: NodeResponse, services: ReadonlySet<string>): void {
  const [, service = "", method = ""] = pathOf(request).split("/");
  const message = services.has(service)
    ? `The service ${service} has no method ${method} here. The client may be newer than this server.`
    : `This server has no service ${service}. The client may be newer than this server.`;
  refuse(request, response, "unimplemented", message);
}

/** Of what was refused before any handler was asked: a wrong content type, say. */
const codeOfStatus = (status: number): ErrorCode | "ok" => (status < 400 ? "ok" : "invalid_argument");

class Idle {
  open = 0;
  #reached: PromiseWithResolvers<void> | null = null;

  begin(): void {
    this.open++;
  }

  end(): void {
    this.open--;
    if (this.open > 0) return;
    this.#reached?.resolve();
    this.#reached = null;
  }

  reached(): Promise<void> {
    if (this.open === 0) return Promise.resolve();
    this.#reached ??= Promise.withResolvers();
    return this.#reached.promise;
  }
}
