// What proves who calls: a check before every call, and the page where programs get their tokens.
import type { Interceptor } from "@connectrpc/connect";
import type { Auth } from "../auth/auth.ts";
import { GodwitError, isGodwitError } from "../core/error.ts";
import { bodyOf } from "./body.ts";
import type { Page, PageRequest } from "./pages.ts";

/** Says how to log in, so it needs no login. */
const publicService = "flyteidl2.auth.AuthMetadataService";

export const authenticated =
  (auth: Auth): Interceptor =>
  (next) =>
  async (request) => {
    if (auth.isRequired && request.service.typeName !== publicService) await auth.caller(request.header);
    return next(request);
  };

/** RFC 6749, 4.4: client credentials, by HTTP Basic or in the form. */
export const tokenPage = (auth: Auth): Page => ({
  method: "POST",
  path: "/oauth2/token",
  answer: async (request, response) => {
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
      response.end(JSON.stringify(body));
    };
    const form = new URLSearchParams(await smallBody(request));
    const grant = form.get("grant_type");
    if (grant !== "client_credentials") {
      const description = `This server gives tokens for client_credentials, not for ${grant ?? "nothing"}.`;
      answer(400, { error: "unsupported_grant_type", error_description: description });
      return;
    }
    const { id, secret } = credentialsOf(request.headers, form);
    try {
      const { token, expiresInSeconds } = await auth.tokenFor(id, secret);
      answer(200, { access_token: token, token_type: "bearer", expires_in: expiresInSeconds });
    } catch (error) {
      if (!isGodwitError(error) || error.code !== "unauthenticated") throw error;
      answer(401, { error: "invalid_client", error_description: error.message });
    }
  },
});

function credentialsOf(headers: Headers, form: URLSearchParams): { readonly id: string; readonly secret: string } {
  const [, basic] = /^Basic +(\S+)$/i.exec(headers.get("authorization") ?? "") ?? [];
  if (basic === undefined) return { id: form.get("client_id") ?? "", secret: form.get("client_secret") ?? "" };
  const text = Buffer.from(basic, "base64").toString();
  const colon = text.indexOf(":");
  // Both are form-encoded before they are joined (RFC 6749, 2.3.1).
  const decoded = (part: string): string => new URLSearchParams(`x=${part}`).get("x") ?? "";
  return { id: decoded(text.slice(0, colon)), secret: decoded(text.slice(colon + 1)) };
}

const maxFormBytes = 8 * 1024;

async function smallBody({ node }: PageRequest): Promise<string> {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const piece of bodyOf(node, 10_000)) {
    sizeBytes += piece.byteLength;
    if (sizeBytes > maxFormBytes)
      throw new GodwitError("resource_exhausted", `The form is larger than ${maxFormBytes} bytes.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}
