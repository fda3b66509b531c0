// Calls a webhook once: signed, within a time, with an answer of which little is read.
//
// R1  Nobody is called but over http and https, at the address that was examined: a name is looked up
//     once, and if it leads into the machine or a private network, which the operator has not allowed, the
//     call is not made. Redirects are not followed.
// R2  Signed as https://www.standardwebhooks.com has it: `webhook-signature` is `v1,` and the base64 of
//     HMAC-SHA256 over `id.timestamp.body`, so that whoever has the key knows the sender, and what is too
//     old to be sent again by somebody else.
import { createHmac } from "node:crypto";
import { lookup as lookUp } from "node:dns";
import type { ClientRequest, IncomingMessage } from "node:http";
import { BlockList, isIP, type LookupFunction } from "node:net";

export type WebhookCall = {
  readonly id: string;
  /** Counts from 1. */
  readonly attempt: number;
  readonly request: {
    readonly url: string;
    readonly method: string;
    readonly headers: { readonly [name: string]: string };
    readonly body: string;
  };
  readonly atMs: number;
  readonly timeoutMs: number;
};

export type WebhookAnswer =
  | { readonly type: "taken" }
  /** `isFinal`: the same again would be answered the same. */
  | { readonly type: "refused"; readonly problem: string; readonly isFinal: boolean };

export type CallWebhook = (call: WebhookCall) => Promise<WebhookAnswer>;

/** Which addresses may be called besides public ones. */
export type Reach = "public" | "loopback" | "private";

export type WebhookOptions = {
  /** As it is shown to receivers: `whsec_` and base64, or any text, which is used as it is. */
  readonly signingKey: string;
  readonly reach: Reach;
};

/** Of an answer that refuses, for people. */
const maxReadBytes = 1_000;

export function webhookCaller({ signingKey, reach }: WebhookOptions): CallWebhook {
  const key = keyOf(signingKey);
  const lookup = guardedLookup(reach);
  return async (call) => {
    const url = URL.canParse(call.request.url) ? new URL(call.request.url) : null;
    if (url === null || !/^https?:$/.test(url.protocol))
      return { type: "refused", problem: "Its address is not one of http or https.", isFinal: true };
    const host = url.hostname.replace(/^\[|\]$/g, "");
    if (isIP(host) !== 0 && !isReachable(host, reach)) return unreachable(host);
    try {
      return await exchange(url, call, { key, lookup });
    } catch (error) {
      const blocked = error instanceof Unreachable;
      return blocked ? unreachable(error.address) : { type: "refused", problem: problemOf(error), isFinal: false };
    }
  };
}

/** The key's own bytes are base64 after `whsec_`. */
const keyOf = (signingKey: string): Buffer =>
  signingKey.startsWith("whsec_")
    ? Buffer.from(signingKey.slice("whsec_".length), "base64")
    : Buffer.from(signingKey, "utf8");

/** R2. */
export const signature = (key: Buffer, id: string, timestamp: number, body: string): string =>
  `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;

type Exchange = { readonly key: Buffer; readonly lookup: LookupFunction };

function exchange(url: URL, call: WebhookCall, { key, lookup }: Exchange): Promise<WebhookAnswer> {
  const { id, attempt, request, atMs, timeoutMs } = call;
  const timestamp = Math.floor(atMs / 1_000);
  const body = Buffer.from(request.body, "utf8");
  const hasBody = request.method !== "GET";
  return new Promise((resolve, reject) => {
    // Loaded by the first call; an import would be dear (server/port.ts).
    const client = process.getBuiltinModule(url.protocol === "https:" ? "node:https" : "node:http");
    const outgoing: ClientRequest = client.request(url, {
      method: request.method,
      lookup,
      // A connection that is kept may end just when it is used again.
      agent: false,
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        "content-type": "application/json",
        "user-agent": "godwit",
        ...request.headers,
        ...(hasBody ? { "content-length": String(body.length) } : {}),
        "idempotency-key": id,
        "webhook-id": id,
        "webhook-timestamp": String(timestamp),
        "webhook-attempt": String(attempt),
        "webhook-signature": signature(key, id, timestamp, hasBody ? request.body : ""),
      },
    });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      answerOf(incoming).then(resolve, reject);
    });
    outgoing.end(hasBody ? body : undefined);
  });
}

async function answerOf(incoming: IncomingMessage): Promise<WebhookAnswer> {
  const status = incoming.statusCode ?? 0;
  if (status >= 200 && status < 300) {
    incoming.destroy();
    return { type: "taken" };
  }
  const said = await beginningOf(incoming);
  const problem = `It answered ${status}${said === "" ? "." : `: ${said}`}`;
  // Gone for good, says HTTP; all else may be otherwise next time.
  return { type: "refused", problem, isFinal: status === 410 };
}

async function beginningOf(incoming: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of incoming) {
    text += (chunk as Buffer).toString("utf8");
    if (text.length >= maxReadBytes) break;
  }
  return text.slice(0, maxReadBytes).trim();
}

const problemOf = (error: unknown): string => {
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === "AbortError" || name === "TimeoutError") return "It did not answer in time.";
  return code === undefined ? message : `It could not be reached (${code}).`;
};

const unreachable = (address: string): WebhookAnswer => ({
  type: "refused",
  problem: `It leads to ${address}, which is not a public address: an operator has to allow that.`,
  isFinal: true,
});

class Unreachable extends Error {
  readonly address: string;

  constructor(address: string) {
    super(`${address} is not reachable`);
    this.address = address;
  }
}

/** R1: what was looked up is what is connected to. */
function guardedLookup(reach: Reach): LookupFunction {
  return (hostname, options, callback) => {
    lookUp(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, "", 0);
        return;
      }
      const bad = addresses.find(({ address }) => !isReachable(address, reach));
      const [first] = addresses;
      if (bad !== undefined || first === undefined) callback(new Unreachable(bad?.address ?? hostname), "", 0);
      else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function isReachable(address: string, reach: Reach): boolean {
  const family = isIP(address) === 6 ? "ipv6" : "ipv4";
  if (never.check(address, family)) return false;
  if (loopback.check(address, family)) return reach !== "public";
  return reach === "private" || !inner.check(address, family);
}

/** `block list of "10.0.0.0/8"` … with IPv4 in IPv6 the list sees through by itself. */
function blockList(...subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [net, prefix] = subnet.split("/") as [string, string];
    list.addSubnet(net, Number(prefix), net.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}

const loopback = blockList("127.0.0.0/8", "::1/128");

/** Of the networks that IANA sets apart, those in which somebody may be. */
const inner = blockList(
  ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "198.18.0.0/15", "192.0.0.0/24"],
  ...["fc00::/7", "fec0::/10", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32"],
);

/** Nobody's address, everybody's, and those where clouds keep their secrets (169.254.169.254, fd00:ec2::254). */
const never = blockList(
  ...["0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"],
  ...["::/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128"],
);
