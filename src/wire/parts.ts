// What the services work with.
import type { Control, Scope } from "../control/control.ts";
import type { Manifest } from "../core/task.ts";
import type { Storage } from "../storage/storage.ts";

export type WireParts = {
  readonly control: Control;
  readonly storage: Storage;
  /** Who calls, from the request's headers. Throws `unauthenticated`. */
  readonly callerOf: (headers: Headers) => string | Promise<string>;
  /** Makes a TypeScript bundle known, from its archive if it is not yet. `archive` null: it has to be known already. */
  readonly adoptBundle: (digest: string, archive: () => AsyncIterable<Uint8Array> | null) => Promise<Manifest>;
  /** What tasks name as the image that was built there under a client's `name:tag`; null: there is none. */
  readonly findImage: (scope: Pick<Scope, "project" | "domain">, name: string) => string | null;
  /** URLs under which a file of the storage may be written or read for some time, on the host the client called. */
  readonly links: Links;
};

export type Link = {
  readonly url: string;
  readonly headers: { readonly [name: string]: string };
  readonly expiresAtMs: number;
};

export type Links = {
  /** How the client reached us: `https://godwit.example.org`. */
  readonly origin: (headers: Headers) => string;
  readonly upload: (
    headers: Headers,
    file: { readonly path: string; readonly md5: Uint8Array | null; readonly expiresInMs: number },
  ) => Link;
  /** Where the condition is answered by a POST with the value, by whoever has the link. */
  readonly answer: (
    headers: Headers,
    condition: { readonly project: string; readonly domain: string; readonly run: string; readonly action: string },
  ) => string;
  readonly download: (headers: Headers, file: { readonly path: string; readonly expiresInMs: number }) => Link;
};
