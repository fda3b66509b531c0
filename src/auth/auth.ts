// The door of authentication: who is calling, and what proves it.
//
// R1  Without authentication everybody is the user who started the server: for loopback only.
// R2  A token says who and until when; its signature is checked before anything in it is looked at. It lives
//     shortly; a client that was removed is refused although its token still lives.
// R3  What is wrong is told in words, but never how close it was.
import { GodwitError } from "../core/error.ts";
import { Clients } from "./clients.ts";
import type { Signer } from "./signing-key.ts";

export { createClient, deleteClient, listClients } from "./clients.ts";
export { readSigningKey, type Signer, signerFor } from "./signing-key.ts";

export type Caller = { readonly subject: string };

export type Auth = {
  /** Whether calls have to prove who makes them. */
  readonly isRequired: boolean;
  /** Throws `unauthenticated`. */
  caller(headers: Headers): Promise<Caller>;
  /** OAuth 2.0's client credentials. Throws `unauthenticated`. */
  tokenFor(clientId: string, secret: string): Promise<{ readonly token: string; readonly expiresInSeconds: number }>;
  /** For tasks, which call back as `subject`: no client has to be there. */
  taskToken(subject: string, livesMs: number): string;
};

/** R1. */
export const noAuth = (subject: string): Auth => ({
  isRequired: false,
  caller: async () => ({ subject }),
  tokenFor: async () => {
    throw new GodwitError("unimplemented", "This server needs no login, and gives no tokens.");
  },
  taskToken: () => "",
});

export type KeyAuthOptions = {
  readonly dataDir: string;
  readonly signer: Signer;
  readonly nowMs: () => number;
};

type Claims = {
  readonly sub: string;
  /** Unix milliseconds. */
  readonly exp: number;
  readonly isTask?: true;
};

/** R2. */
const tokenMs = 60 * 60 * 1_000;

export function keyAuth({ dataDir, signer, nowMs }: KeyAuthOptions): Auth {
  const clients = new Clients(dataDir, nowMs);
  const issue = (claims: Claims): string => {
    const body = Buffer.from(JSON.stringify(claims)).toString("base64url");
    return `${body}.${signer.sign(body)}`;
  };
  return {
    isRequired: true,
    caller: async (headers) => {
      const claims = claimsOf(bearerOf(headers), signer, nowMs());
      if (claims.isTask !== true && !(await clients.has(claims.sub)))
        throw unauthenticated(`The key "${claims.sub}" has been taken back.`);
      return { subject: claims.sub };
    },
    tokenFor: async (clientId, secret) => {
      if (!(await clients.isRight(clientId, secret)))
        throw unauthenticated("There is no such key, or its secret is another.");
      return { token: issue({ sub: clientId, exp: nowMs() + tokenMs }), expiresInSeconds: tokenMs / 1_000 };
    },
    taskToken: (subject, livesMs) => issue({ sub: subject, exp: nowMs() + livesMs, isTask: true }),
  };
}

function bearerOf(headers: Headers): string {
  const given = headers.get("authorization");
  if (given === null)
    throw unauthenticated(
      "This server needs a login: send `Authorization: Bearer TOKEN`. Keys are made with `godwit server create-key NAME`.",
    );
  const [, token] = /^Bearer +(\S+)$/i.exec(given) ?? [];
  if (token === undefined) throw unauthenticated("The header Authorization has to be `Bearer TOKEN`.");
  return token;
}

function claimsOf(token: string, signer: Signer, nowMs: number): Claims {
  const [body = "", signature = ""] = token.split(".");
  if (!signer.holds(body, signature)) throw unauthenticated("The token was not made by this server, or was altered.");
  const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Claims;
  if (claims.exp <= nowMs) throw unauthenticated("The token has expired. Get a new one, and call again.");
  return claims;
}

const unauthenticated = (message: string): GodwitError => new GodwitError("unauthenticated", message);
