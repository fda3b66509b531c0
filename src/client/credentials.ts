// How a client proves who it is: with a key, which it trades for tokens that live a while.
//
// R1  A key is `name:secret` as `godwit server create-key` tells it, or the same in the form of FLYTE_API_KEY; what is
//     neither is taken for a token.
// R2  A token is used until shortly before it ends, and fetched anew when the server does not take it.
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { GodwitError } from "../core/error.ts";

/** A token is not sent any more so long before it ends. */
const marginMs = 60_000;
const tokenTimeoutMs = 30_000;

type Credentials = { readonly id: string; readonly secret: string };

export function authorised(apiKey: string, endpoint: string): Interceptor {
  const credentials = credentialsIn(apiKey);
  const tokens = credentials === null ? null : new Tokens(credentials, endpoint);
  return (next) => async (request) => {
    request.header.set("authorization", `Bearer ${tokens === null ? apiKey : await tokens.current()}`);
    try {
      return await next(request);
    } catch (error) {
      if (tokens === null || ConnectError.from(error).code !== Code.Unauthenticated) throw error;
      // R2. What a stream sends can be read once only; its caller opens it again.
      if (request.stream) throw error;
      request.header.set("authorization", `Bearer ${await tokens.renewed()}`);
      return next(request);
    }
  };
}

/** R1. */
function credentialsIn(apiKey: string): Credentials | null {
  const plain = /^([^:\s]+):(\S+)$/.exec(apiKey);
  if (plain !== null) return { id: plain[1] as string, secret: plain[2] as string };
  const parts = Buffer.from(apiKey, "base64").toString("utf8").split(":");
  const [, id, secret] = parts;
  return parts.length === 4 && id && secret ? { id, secret } : null;
}

class Tokens {
  readonly #credentials: Credentials;
  readonly #url: string;
  #token: Promise<{ readonly text: string; readonly endsAtMs: number }> | null = null;

  constructor(credentials: Credentials, endpoint: string) {
    this.#credentials = credentials;
    this.#url = `${endpoint}/oauth2/token`;
  }

  async current(): Promise<string> {
    this.#token ??= this.#fetch();
    const { text, endsAtMs } = await this.#token;
    return endsAtMs - marginMs > Date.now() ? text : this.renewed();
  }

  async renewed(): Promise<string> {
    this.#token = this.#fetch();
    return (await this.#token).text;
  }

  async #fetch() {
    const { id, secret } = this.#credentials;
    try {
      const answer = await fetch(this.#url, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({
          grant_type: "client_credentials",
          client_id: id,
          client_secret: secret,
        }).toString(),
        signal: AbortSignal.timeout(tokenTimeoutMs),
      });
      const told = (await answer.json().catch(() => ({}))) as {
        readonly access_token?: string;
        readonly expires_in?: number;
        readonly error_description?: string;
      };
      if (answer.ok && told.access_token !== undefined)
        return { text: told.access_token, endsAtMs: Date.now() + (told.expires_in ?? 3_600) * 1_000 };
      throw new GodwitError(
        "unauthenticated",
        `The server at ${this.#url} gives no token for the key "${id}": ${told.error_description ?? answer.status}`,
      );
    } catch (error) {
      // The next call asks again.
      this.#token = null;
      throw error;
    }
  }
}
