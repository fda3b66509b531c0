// Headers of Node's requests, of HTTP/1.1 and HTTP/2 alike.
import type { NodeRequest } from "./port.ts";

export function headerOf(request: NodeRequest, name: string): string {
  const value = request.headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? "";
}

export function headersOf(request: NodeRequest): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    headers.set(name, Array.isArray(value) ? value.join(", ") : value);
  }
  const authority = request.headers[":authority"];
  if (!headers.has("host") && typeof authority === "string") headers.set("host", authority);
  return headers;
}
