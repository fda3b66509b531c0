// The way to a server: Connect over HTTP, in the words of Flyte's protocol.
//
// R1  Only `unavailable` is tried again: the server did not take the request, or says that it may be sent
//     once more. Every command that is sent can be repeated: a run has its name before it is asked for.
//     Where nothing listens and nothing ever did, somebody has the wrong address, and is told at once; a
//     server that has answered before is being started anew, and waited for.
// R2  What is thrown is a GodwitError with the server's code and words; where there is no server, it says which
//     address was tried.
import { Code, type Client as ConnectClient, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { DataProxyService } from "#idl/flyteidl2/dataproxy/dataproxy_service_pb.js";
import { TaskService } from "#idl/flyteidl2/task/task_service_pb.js";
import { TriggerService } from "#idl/flyteidl2/trigger/trigger_service_pb.js";
import { RunService } from "#idl/flyteidl2/workflow/run_service_pb.js";
import { type ErrorCode, GodwitError } from "../core/error.ts";
import { AutomationService } from "../idl/automation-service.ts";
import { SignalEventService } from "../idl/newer.ts";
import { authorised } from "./credentials.ts";

export type ConnectOptions = {
  /** `localhost:8090`, `http://host:port` or `https://host`. Default: GODWIT_ENDPOINT, else localhost:8090. */
  readonly endpoint?: string;
  /** Default: GODWIT_PROJECT, else default. */
  readonly project?: string;
  /** Default: GODWIT_DOMAIN, else development. */
  readonly domain?: string;
  /** Of a server that asks for one: `name:secret`, or as in FLYTE_API_KEY. Default: GODWIT_API_KEY, else FLYTE_API_KEY. */
  readonly apiKey?: string;
  /** For one request, its repetitions among it; streams may last. Default: a minute. */
  readonly timeoutMs?: number;
};

export const defaultEndpoint = "localhost:8090";
export const defaultRemoteProject = "default";
const defaultDomain = "development";
const defaultTimeoutMs = 60_000;

const firstPauseMs = 100;
const longestPauseMs = 5_000;

export type Connection = {
  readonly endpoint: string;
  readonly project: string;
  readonly domain: string;
  readonly runs: ConnectClient<typeof RunService>;
  readonly data: ConnectClient<typeof DataProxyService>;
  readonly tasks: ConnectClient<typeof TaskService>;
  readonly signals: ConnectClient<typeof SignalEventService>;
  readonly triggers: ConnectClient<typeof TriggerService>;
  readonly automation: ConnectClient<typeof AutomationService>;
  /** R1, R2. */
  ask<T>(request: (options: { readonly signal: AbortSignal }) => Promise<T>): Promise<T>;
};

export function openConnection(options: ConnectOptions, env: NodeJS.ProcessEnv = process.env): Connection {
  const endpoint = endpointUrl(options.endpoint ?? (env.GODWIT_ENDPOINT || defaultEndpoint));
  const apiKey = options.apiKey ?? (env.GODWIT_API_KEY || env.FLYTE_API_KEY || "");
  const transport = createConnectTransport({
    baseUrl: endpoint,
    httpVersion: "1.1",
    interceptors: apiKey === "" ? [] : [authorised(apiKey, endpoint)],
  });
  const server: Server = { endpoint, timeoutMs: options.timeoutMs ?? defaultTimeoutMs, hasAnswered: false };
  return {
    endpoint,
    project: options.project ?? (env.GODWIT_PROJECT || defaultRemoteProject),
    domain: options.domain ?? (env.GODWIT_DOMAIN || defaultDomain),
    runs: createClient(RunService, transport),
    data: createClient(DataProxyService, transport),
    tasks: createClient(TaskService, transport),
    signals: createClient(SignalEventService, transport),
    triggers: createClient(TriggerService, transport),
    automation: createClient(AutomationService, transport),
    ask: (request) => asked(request, server),
  };
}

function endpointUrl(text: string): string {
  const url = /^[a-z]+:\/\//.test(text) ? text.replace(/^dns:\/\/\//, "http://") : `http://${text}`;
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url.replace(/\/+$/, "");
  throw new GodwitError(
    "invalid_argument",
    `"${text}" is not the address of a server. Give host and port, such as localhost:8090, or a URL.`,
  );
}

type Server = { readonly endpoint: string; readonly timeoutMs: number; hasAnswered: boolean };

async function asked<T>(
  request: (options: { readonly signal: AbortSignal }) => Promise<T>,
  server: Server,
): Promise<T> {
  const signal = AbortSignal.timeout(server.timeoutMs);
  let lost: GodwitError | null = null;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      const answer = await request({ signal });
      server.hasAnswered = true;
      return answer;
    } catch (error) {
      const told = toldError(error, server.endpoint, server.timeoutMs);
      // That the time is over says less than what it went by with.
      if (signal.aborted) throw lost ?? told;
      if (!isPassing(told) || (isNobodyThere(error) && !server.hasAnswered)) throw told;
      lost = told;
      await pause(pauseMs, signal);
    }
  }
}

/** R1. */
export const isPassing = (error: GodwitError): boolean => error.code === "unavailable";

/** Nothing listens: the address is wrong, or the server is not started, or not yet again. */
function isNobodyThere(error: unknown): boolean {
  const cause = error instanceof ConnectError ? error.cause : error;
  const code = (cause as { readonly code?: unknown } | null | undefined)?.code;
  return code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "EAI_AGAIN";
}

/** R2. */
export function toldError(error: unknown, endpoint: string, timeoutMs: number | null = null): GodwitError {
  if (error instanceof GodwitError) return error;
  const told = ConnectError.from(error);
  // Thrown by us, on the way.
  if (told.cause instanceof GodwitError) return told.cause;
  if (isNobodyThere(told) || isNobodyThere(error)) {
    return new GodwitError(
      "unavailable",
      `No server answers at ${endpoint}. Start one with \`godwit dev\`, or name another with --remote or GODWIT_ENDPOINT.`,
      { cause: error },
    );
  }
  const isLate = told.code === Code.DeadlineExceeded || (told.code === Code.Canceled && timeoutMs !== null);
  if (isLate && timeoutMs !== null)
    return new GodwitError(
      "deadline_exceeded",
      `The server at ${endpoint} has not answered within ${timeoutMs / 1_000} s.`,
      { cause: error },
    );
  return new GodwitError(nameOf(told.code), told.rawMessage, { cause: error });
}

const names: { readonly [code in Code]: ErrorCode } = {
  [Code.Canceled]: "canceled",
  [Code.Unknown]: "unknown",
  [Code.InvalidArgument]: "invalid_argument",
  [Code.DeadlineExceeded]: "deadline_exceeded",
  [Code.NotFound]: "not_found",
  [Code.AlreadyExists]: "already_exists",
  [Code.PermissionDenied]: "permission_denied",
  [Code.ResourceExhausted]: "resource_exhausted",
  [Code.FailedPrecondition]: "failed_precondition",
  [Code.Aborted]: "aborted",
  [Code.OutOfRange]: "out_of_range",
  [Code.Unimplemented]: "unimplemented",
  [Code.Internal]: "internal",
  [Code.Unavailable]: "unavailable",
  [Code.DataLoss]: "data_loss",
  [Code.Unauthenticated]: "unauthenticated",
};

const nameOf = (code: Code): ErrorCode => names[code];

/** Ends early when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

/**
 * What a stream tells, over as many streams as it takes: it is opened again when the connection is lost or the
 * server restarts, and tells what there is anew. Ends with `isDone`, or when the signal aborts.
 */
export async function* followed<T>(
  { endpoint }: Pick<Connection, "endpoint">,
  signal: AbortSignal,
  open: (signal: AbortSignal) => AsyncIterable<T>,
  isDone: () => boolean | Promise<boolean>,
): AsyncIterable<T> {
  for (let pauseMs = firstPauseMs; ; ) {
    try {
      for await (const message of open(signal)) {
        pauseMs = firstPauseMs;
        yield message;
      }
      if (signal.aborted || (await isDone())) return;
    } catch (error) {
      if (signal.aborted) return;
      const told = toldError(error, endpoint);
      if (!isLost(told)) throw told;
      if (isNobodyThere(error) && pauseMs >= longestPauseMs) throw told;
    }
    await pause(pauseMs, signal);
    if (signal.aborted) return;
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}

/** The connection is, and not what was asked for. */
const isLost = ({ code, cause }: GodwitError): boolean =>
  code === "unavailable" ||
  code === "deadline_exceeded" ||
  // A stream that was cut off in the middle; a refusal of the server comes with words of its own.
  ((code === "internal" || code === "aborted" || code === "unknown" || code === "canceled") &&
    cause instanceof ConnectError &&
    cause.cause !== undefined);
