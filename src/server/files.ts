// Uploads and downloads by signed link (links.ts), in pieces: no file is ever held in memory.
//
// R1  A file is there when the answer says so, whole and with the content that was announced, or not at all.
// R2  What a task has made is shown in a sandbox: a report is somebody's HTML, and this origin is the API's.
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GodwitError } from "../core/error.ts";
import { bodyOf } from "./body.ts";
import type { Links } from "./links.ts";
import type { Page, PageRequest } from "./pages.ts";
import type { NodeResponse } from "./port.ts";
import { refuse } from "./refusal.ts";

/** What is needed of the storage. */
export type FileStore = {
  readonly root: string;
  writeUpload(
    path: string,
    source: AsyncIterable<Uint8Array>,
    options: { readonly maxBytes: number; readonly md5: Uint8Array | null },
  ): Promise<unknown>;
  openFile(path: string): Promise<{
    readonly sizeBytes: number;
    stream(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array>;
  }>;
};

/** Between two pieces of an upload. */
const idleBodyMs = 60_000;

export const filePages = (files: FileStore, links: Links): readonly Page[] => [
  {
    method: "PUT",
    path: "/uploads/*",
    answer: (request, response) => upload(request, response, files, links),
  },
  {
    method: "GET",
    path: "/downloads/*",
    answer: (request, response) => download(request, response, files, links),
  },
];

async function upload(request: PageRequest, response: NodeResponse, files: FileStore, links: Links): Promise<void> {
  const name = nameOf(request);
  const { md5, maxBytes } = links.allowedUpload(name, request.query);
  const tooLarge = (): void => {
    const message = `The file is larger than the ${maxBytes} bytes that may be uploaded here. The operator sets the bound (server.maxUpload).`;
    // Not 429, which clients take for "later".
    refuse(request.node, response, "resource_exhausted", message, 413);
  };
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) {
    tooLarge();
    return;
  }
  let isOver = false;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    let sizeBytes = 0;
    for await (const piece of bodyOf(request.node, idleBodyMs)) {
      sizeBytes += piece.byteLength;
      isOver = sizeBytes > maxBytes;
      yield piece;
    }
  };
  try {
    await files.writeUpload(`${files.root}/${name}`, counted(), { maxBytes, md5: wantedMd5(md5, request) });
  } catch (error) {
    if (!isOver) throw error;
    tooLarge();
    return;
  }
  response.writeHead(200, { "content-length": 0 });
  response.end();
}

/** What a client says of its own accord is checked as well. */
function wantedMd5(signed: Uint8Array | null, { headers }: PageRequest): Uint8Array | null {
  const text = headers.get("content-md5");
  if (text === null) return signed;
  const md5 = Buffer.from(text, "base64");
  if (md5.length === 16 && (signed === null || md5.equals(signed))) return md5;
  if (md5.length === 16)
    throw new GodwitError(
      "invalid_argument",
      "The header Content-MD5 says another MD5 than the link was made for. Ask for a link for this content.",
    );
  throw new GodwitError("invalid_argument", "The header Content-MD5 has to be the 16 bytes of an MD5 in base64.");
}

async function download(request: PageRequest, response: NodeResponse, files: FileStore, links: Links): Promise<void> {
  const name = nameOf(request);
  links.checkDownload(name, request.query);
  const file = await files.openFile(`${files.root}/${name}`);
  const range = rangeOf(request.headers.get("range"), file.sizeBytes);
  if (range === "unsatisfiable") {
    response.writeHead(416, { "content-range": `bytes */${file.sizeBytes}`, "content-length": 0 });
    response.end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: file.sizeBytes - 1 };
  response.writeHead(range === null ? 200 : 206, {
    ...contentHeaders(name),
    "accept-ranges": "bytes",
    "content-length": end - start + 1,
    ...(range === null ? {} : { "content-range": `bytes ${start}-${end}/${file.sizeBytes}` }),
  });
  if (request.node.method === "HEAD" || end < start) {
    response.end();
    await once(response, "close");
    return;
  }
  // A client that goes away in the middle is its own business.
  await pipeline(Readable.from(file.stream({ start, end })), response).catch(() => response.destroy());
}

/** R2. */
function contentHeaders(name: string): Record<string, string> {
  const extension = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? "";
  const type = contentTypes[extension] ?? "application/octet-stream";
  const file = encodeURIComponent(name.split("/").at(-1) as string);
  return {
    "content-type": type,
    "x-content-type-options": "nosniff",
    "cache-control": "private, max-age=60",
    ...(extension === "html"
      ? { "content-security-policy": "sandbox allow-scripts allow-popups allow-downloads" }
      : { "content-disposition": `attachment; filename*=UTF-8''${file}` }),
  };
}

const contentTypes: { readonly [extension: string]: string } = {
  html: "text/html; charset=utf-8",
  json: "application/json",
  txt: "text/plain; charset=utf-8",
  csv: "text/csv; charset=utf-8",
};

type Range = { readonly start: number; readonly end: number };

/** Null: all of it. Several ranges, and what is none, are answered with all of it, as RFC 9110 allows. */
function rangeOf(header: string | null, sizeBytes: number): Range | "unsatisfiable" | null {
  const [, from = "", to = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (from === "" && to === "") return null;
  const last = sizeBytes - 1;
  const range =
    from === ""
      ? { start: Math.max(0, sizeBytes - Number(to)), end: last }
      : { start: Number(from), end: to === "" ? last : Math.min(Number(to), last) };
  if (from !== "" && to !== "" && Number(to) < Number(from)) return null;
  return range.start > range.end ? "unsatisfiable" : range;
}

const nameOf = ({ parameters }: PageRequest): string => parameters["*"] ?? "";
