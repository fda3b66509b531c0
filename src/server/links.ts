// Links under which one file of the storage may be written or read for some time, by whoever has the link.
//
// R1  All that the link allows is signed: what may be done, to which file, until when, and for an upload what
//     its content has to be and how much at most. What has been altered is refused, and so is what is over.
// R2  A link leads to the host that the client called: it may know us by a name that we do not know.
import { isAbsolute, relative, sep } from "node:path";
import { GodwitError } from "../core/error.ts";

export type Link = {
  readonly url: string;
  /** To be sent with it. */
  readonly headers: { readonly [name: string]: string };
  readonly expiresAtMs: number;
};

/** `path`: absolute, in the storage. */
export type Links = {
  /** `md5` null: any content. */
  upload(
    headers: Headers,
    file: {
      readonly path: string;
      readonly md5: Uint8Array | null;
      readonly expiresInMs: number;
      readonly maxBytes?: number;
    },
  ): Link;
  download(headers: Headers, file: { readonly path: string; readonly expiresInMs: number }): Link;
  /** Where a condition is answered. It holds as long as the condition waits. */
  answer(headers: Headers, condition: AnsweredCondition): string;
  /** R1. Throws `permission_denied`. */
  checkAnswer(condition: AnsweredCondition, query: URLSearchParams): void;
  /** R2. `https://godwit.example.org`. */
  origin(headers: Headers): string;
  /** R1. What an upload's link allows. Throws `permission_denied`. */
  allowedUpload(name: string, query: URLSearchParams): { readonly md5: Uint8Array | null; readonly maxBytes: number };
  /** R1. Throws `permission_denied`. */
  checkDownload(name: string, query: URLSearchParams): void;
};

export type AnsweredCondition = {
  readonly project: string;
  readonly domain: string;
  readonly run: string;
  readonly action: string;
};

export type LinksOptions = {
  readonly signer: { sign(text: string): string; holds(text: string, signature: string): boolean };
  /** Of the storage. */
  readonly root: string;
  /** How clients reach this server, if the operator knows better than they: `https://godwit.example.org`. */
  readonly publicUrl: string | null;
  readonly maxUploadBytes: number;
  readonly nowMs: () => number;
};

/** No link lives longer, whatever a client asks for. */
const maxLinkMs = 7 * 24 * 60 * 60 * 1_000;

type Verb = "PUT" | "GET";
const paths: Record<Verb, string> = { PUT: "/uploads/", GET: "/downloads/" };

export function createLinks({ signer, root, publicUrl, maxUploadBytes, nowMs }: LinksOptions): Links {
  const make = (
    verb: Verb,
    headers: Headers,
    path: string,
    expiresInMs: number,
    more: Record<string, string>,
  ): Link => {
    const name = nameOf(root, path);
    const expiresAtMs = nowMs() + Math.min(Math.max(expiresInMs, 0), maxLinkMs);
    const query = new URLSearchParams({ expires: String(Math.ceil(expiresAtMs / 1_000)), ...more });
    query.set("signature", signer.sign(signedText(verb, name, query)));
    const encoded = name.split("/").map(encodeURIComponent).join("/");
    return { url: `${publicUrl ?? originOf(headers)}${paths[verb]}${encoded}?${query}`, headers: {}, expiresAtMs };
  };
  const check = (verb: Verb, name: string, query: URLSearchParams): void => {
    if (!signer.holds(signedText(verb, name, query), query.get("signature") ?? "")) throw altered();
    // Clients look for "request has expired".
    if (Number(query.get("expires")) * 1_000 <= nowMs())
      throw new GodwitError("permission_denied", "The request has expired with its link. Ask for a new link.");
  };
  return {
    answer: (headers, condition) => {
      const query = new URLSearchParams({ signature: signer.sign(answerText(condition)) });
      const path = [condition.project, condition.domain, condition.run, condition.action].map(encodeURIComponent);
      return `${publicUrl ?? originOf(headers)}/conditions/${path.join("/")}?${query}`;
    },
    checkAnswer: (condition, query) => {
      if (!signer.holds(answerText(condition), query.get("signature") ?? "")) throw altered();
    },
    origin: (headers) => publicUrl ?? originOf(headers),
    upload: (headers, { path, md5, expiresInMs, maxBytes = maxUploadBytes }) =>
      make("PUT", headers, path, expiresInMs, {
        max: String(Math.min(maxBytes, maxUploadBytes)),
        ...(md5 === null ? {} : { md5: Buffer.from(md5).toString("hex") }),
      }),
    download: (headers, { path, expiresInMs }) => make("GET", headers, path, expiresInMs, {}),
    allowedUpload: (name, query) => {
      check("PUT", name, query);
      const md5 = query.get("md5");
      return { md5: md5 === null ? null : Buffer.from(md5, "hex"), maxBytes: Number(query.get("max")) };
    },
    checkDownload: (name, query) => check("GET", name, query),
  };
}

const altered = (): GodwitError =>
  new GodwitError(
    "permission_denied",
    "This link was not made by this server, or it was altered. Ask for a new one, and use it as it is.",
  );

const answerText = ({ project, domain, run, action }: AnsweredCondition): string =>
  ["answer", project, domain, run, action].map(encodeURIComponent).join("\n");

/** One line each, so that nothing can pass for something else. */
const signedText = (verb: Verb, name: string, query: URLSearchParams): string =>
  [verb, name, ...["expires", "md5", "max"].map((part) => query.get(part) ?? "")].map(encodeURIComponent).join("\n");

function nameOf(root: string, path: string): string {
  const name = relative(root, path);
  if (name === "" || name.startsWith(`..${sep}`) || name === ".." || isAbsolute(name))
    throw new GodwitError("invalid_argument", `${path} is not in this server's storage.`);
  return name;
}

/** R2. */
function originOf(headers: Headers): string {
  const host = headers.get("host");
  // What stands in it becomes part of a URL that is given back: nothing but a name and a port.
  if (host === null || !/^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/.test(host))
    throw new GodwitError("invalid_argument", "The request does not say by a header Host which server it is for.");
  const isTls = headers.get("x-forwarded-proto") === "https";
  return `${isTls ? "https" : "http"}://${host}`;
}
