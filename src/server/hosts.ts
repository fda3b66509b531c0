// Without a login, the port is open to every program of this machine, and a browser is one: it would let any web
// site call it, under a name of the site's own that leads here. So a call has to name this machine as one does who
// means it, and what a page of another origin sends is refused.
import { headerOf } from "./headers.ts";
import type { NodeRequest } from "./port.ts";

/** Containers reach their machine by these. */
const wellKnown = ["localhost", "host.docker.internal", "host.containers.internal", "kubernetes.docker.internal"];

/** Null: it may go on. Else what to tell. `known`: names that the operator gave. */
export function foreignCall(request: NodeRequest, known: readonly string[]): string | null {
  const host = headerOf(request, "host") || headerOf(request, ":authority");
  const name = nameOf(host);
  if (host !== "" && !isAddress(name) && !name.endsWith(".localhost") && ![...wellKnown, ...known].includes(name))
    return `This server is not known as ${name}. Call it by its address, or tell it the name: --public-url http://${host}`;
  const origin = headerOf(request, "origin");
  if (origin !== "" && URL.parse(origin)?.host !== host) return `Pages of ${origin} may not call this server.`;
  return null;
}

const nameOf = (host: string): string => host.replace(/:\d*$/, "").toLowerCase();

const isAddress = (name: string): boolean => /^\d+(\.\d+){3}$/.test(name) || /^\[[0-9a-f:.]+\]$/.test(name);
