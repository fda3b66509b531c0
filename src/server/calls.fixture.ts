// Two services for tests of the server: one that answers with what it is asked, one that streams what a test
// wants to be streamed.
import { createClient, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { ProjectService } from "#idl/flyteidl2/project/project_service_pb.js";
import { RunLogsService } from "#idl/flyteidl2/workflow/run_logs_service_pb.js";
import { GodwitError } from "../core/error.ts";
import { defaultLimits, type Server, type ServerOptions, silentLog, startServer } from "./server.ts";

export { ProjectService, RunLogsService };

/** What `tailLogs` streams: texts, one message each. */
export type Lines = (signal: AbortSignal) => AsyncIterable<string>;

export const helloLines: Lines = async function* () {
  yield "one";
  yield "two";
};

export function serve(lines: Lines = helloLines, options: Partial<ServerOptions> = {}): Promise<Server> {
  return startServer({
    host: "127.0.0.1",
    port: 0,
    secondPort: null,
    limits: defaultLimits,
    certificate: null,
    hosts: null,
    taskToken: null,
    routes: async () => (router) => {
      router.service(ProjectService, {
        getProject: async ({ id }) => {
          if (id === "missing") throw new GodwitError("not_found", "There is no project missing.");
          if (id === "wordy") throw new GodwitError("not_found", `x${"\ud83e\udda2".repeat(10_000)}`);
          if (id === "broken") throw new TypeError("x is not a function");
          return { project: { id, name: id.slice(0, 40) } };
        },
      });
      router.service(RunLogsService, {
        tailLogs: async function* (_request, { signal }) {
          for await (const message of lines(signal)) yield { logs: [{ lines: [{ message }] }] };
        },
      });
    },
    pages: [],
    readiness: async () => null,
    log: silentLog,
    ...options,
  });
}

export type Protocol =
  | "connect over HTTP/1.1"
  | "connect over h2c"
  | "connect as JSON"
  | "grpc"
  | "grpc-web over HTTP/1.1"
  | "grpc-web over h2c";

const transports: Record<Protocol, (baseUrl: string) => Transport> = {
  "connect over HTTP/1.1": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1" }),
  "connect over h2c": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "2" }),
  "connect as JSON": (baseUrl) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  grpc: (baseUrl) => createGrpcTransport({ baseUrl, idleConnectionTimeoutMs: 100 }),
  "grpc-web over HTTP/1.1": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
  "grpc-web over h2c": (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: "2" }),
};

export const protocols = Object.keys(transports) as readonly Protocol[];

export const clientOf = ({ url }: Pick<Server, "url">, protocol: Protocol = "connect over HTTP/1.1") => {
  const transport = transports[protocol](url);
  return { projects: createClient(ProjectService, transport), logs: createClient(RunLogsService, transport) };
};

export async function textsOf(
  stream: AsyncIterable<{ readonly logs: readonly { readonly lines: readonly { readonly message: string }[] }[] }>,
): Promise<readonly string[]> {
  const texts: string[] = [];
  for await (const { logs } of stream) texts.push(...logs.flatMap(({ lines }) => lines.map(({ message }) => message)));
  return texts;
}
