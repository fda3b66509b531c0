// What is not a call: a router over the pages that the server is given.

import { fastify } from "fastify";
import { isGodwitError } from "../core/error.ts";
import { headersOf } from "./headers.ts";
import type { Log } from "./log.ts";
import type { NodeRequest, NodeResponse } from "./port.ts";
import { refuse } from "./refusal.ts";

export type Page = {
  readonly method: "GET" | "PUT" | "POST";
  /** With parameters: `/downloads/*`, `/v2/domain/:domain`. */
  readonly path: string;
  /** Answers by itself, body and all, or throws a GodwitError before it has begun to. */
  readonly answer: (request: PageRequest, response: NodeResponse) => Promise<void> | void;
};

export type PageRequest = {
  readonly node: NodeRequest;
  readonly headers: Headers;
  /** By name; what `*` stands for is "*". */
  readonly parameters: { readonly [name: string]: string };
  readonly query: URLSearchParams;
};

export type Router = {
  serve(request: NodeRequest, response: NodeResponse): void;
  close(): Promise<void>;
};

export async function createPages({
  pages,
  log,
}: {
  readonly pages: readonly Page[];
  readonly log: Log;
}): Promise<Router> {
  // Bodies are read by whoever answers, in pieces: the router never holds one.
  const app = fastify({
    logger: false,
    exposeHeadRoutes: true,
    routerOptions: { ignoreTrailingSlash: true },
    // Paths that are none, before there is a route.
    frameworkErrors: (error, request, reply) => {
      reply.hijack();
      fail(error, request.raw, reply.raw, log);
    },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  for (const { method, path, answer } of pages) {
    app.route({
      method,
      url: path,
      handler: async (request, reply) => {
        reply.hijack();
        const { raw: node } = request;
        const parameters = (request.params ?? {}) as PageRequest["parameters"];
        const query = new URL(node.url ?? "/", "http://localhost").searchParams;
        try {
          await answer({ node, headers: headersOf(node), parameters, query }, reply.raw);
        } catch (error) {
          fail(error, node, reply.raw, log);
        }
      },
    });
  }
  app.setNotFoundHandler((request, reply) => {
    reply.hijack();
    refuse(request.raw, reply.raw, "not_found", `There is nothing at ${pathOf(request.raw.url)}.`);
  });
  app.setErrorHandler((error, request, reply) => {
    reply.hijack();
    fail(error, request.raw, reply.raw, log);
  });
  await app.ready();
  return {
    serve: (request, response) => app.routing(request, response),
    close: () => app.close(),
  };
}

function fail(error: unknown, request: NodeRequest, response: NodeResponse, log: Log): void {
  const status = (error as { readonly statusCode?: number }).statusCode;
  const isMistake = isGodwitError(error) || (status !== undefined && status < 500);
  if (!isMistake) log.error({ error, path: pathOf(request.url) }, "a request failed, and should not have");
  // Half an answer cannot be taken back: only its missing end tells that it is none.
  if (response.headersSent) response.destroy();
  else if (isGodwitError(error)) refuse(request, response, error.code, error.message);
  else if (isMistake) refuse(request, response, "invalid_argument", (error as Error).message);
  else refuse(request, response, "internal", "This should not have happened; the server's log says more.");
}

const pathOf = (url: string | undefined): string => (url ?? "").split("?", 1)[0] as string;
