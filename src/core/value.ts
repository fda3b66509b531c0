// Values as the protocol carries them, in plain JSON. The names and shapes are those of Flyte's
// `core/literals.proto` and `core/types.proto`; `idl` turns them into those messages and back.
//
// R1  A literal is JSON: 64-bit integers are decimal text, bytes are base64. So it can be stored,
//     compared and hashed as it is, and an integer can never turn into a float on the way.
// R2  Equal values have equal canonical text (hash.ts); files and tables count by their bytes
//     alone, whatever they are called and wherever they lie.
// R3  What Godwit does not keep counts by what its writer says of its content, else by where it lies. It
//     is no blob: nothing that looks for blobs finds it.
import { canonicalJson, hashParts, sha256Hex } from "./hash.ts";

export type JsonSchema = { readonly [key: string]: unknown };

/** The types that stand for one scalar. `struct` is any object: msgpack described by JSON Schema. */
export type SimpleName = "none" | "integer" | "float" | "string" | "boolean" | "datetime" | "duration" | "binary";

export type Column = { readonly name: string; readonly type: LiteralType };

/** One member of a union. `tag` is how a value says which member it is (for example `int`, `none`). */
export type Variant = { readonly tag: string; readonly type: LiteralType };

export type LiteralType =
  | { readonly type: "simple"; readonly simple: SimpleName }
  | { readonly type: "struct"; readonly schema: JsonSchema | null }
  | { readonly type: "collection"; readonly element: LiteralType }
  | { readonly type: "map"; readonly value: LiteralType }
  | { readonly type: "enum"; readonly values: readonly string[] }
  | { readonly type: "union"; readonly variants: readonly Variant[] }
  | { readonly type: "blob"; readonly format: string; readonly dimensionality: "single" | "multipart" }
  | { readonly type: "structuredDataset"; readonly columns: readonly Column[]; readonly format: string };

export type Literal =
  | { readonly type: "none" }
  /** Decimal text within int64. */
  | { readonly type: "integer"; readonly value: string }
  /** JSON has no NaN, infinities or negative zero: they travel as these words. */
  | { readonly type: "float"; readonly value: number | "NaN" | "Infinity" | "-Infinity" | "-0" }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "boolean"; readonly value: boolean }
  /** RFC 3339 in UTC. */
  | { readonly type: "datetime"; readonly value: string }
  /** Whole nanoseconds as decimal text. */
  | { readonly type: "duration"; readonly value: string }
  | BinaryLiteral
  | { readonly type: "collection"; readonly elements: readonly Literal[] }
  | { readonly type: "map"; readonly entries: { readonly [key: string]: Literal } }
  | { readonly type: "union"; readonly tag: string; readonly value: Literal }
  | BlobLiteral
  | TableLiteral
  | ExternalBlobLiteral
  | ExternalTableLiteral;

export type BinaryLiteral = {
  readonly type: "binary";
  /** `msgpack` for structs, empty for plain bytes; what others mean by any other tag is theirs alone. */
  readonly tag: string;
  /** Base64. */
  readonly value: string;
  /** Digests of the files and tables inside a struct, which cannot be seen without unpacking it. */
  readonly blobs?: readonly string[];
  /** Those of `blobs` that are manifests of directories. */
  readonly directories?: readonly string[];
  /** With `blobs`: hash of the struct in which each of them is its digest alone, so that R2 holds inside structs. */
  readonly contentHash?: string;
};

/** A file, or a directory whose `uri` names a manifest (blob/directory format) of its files. */
export type BlobLiteral = {
  readonly type: "blob";
  /** `godwit://<sha256>/<file name>`, see `blobUri`. */
  readonly uri: string;
  readonly format: string;
  readonly dimensionality: "single" | "multipart";
  /** SHA-256 of the content, hex. */
  readonly hash: string;
  readonly sizeBytes: number;
};

export type TableLiteral = {
  readonly type: "structuredDataset";
  readonly uri: string;
  readonly columns: readonly Column[];
  readonly format: "parquet";
  readonly hash: string;
  readonly sizeBytes: number;
  readonly rows: number;
};

/** A file or directory that another SDK wrote: bytes that Godwit neither keeps nor verifies (R3). */
export type ExternalBlobLiteral = {
  readonly type: "externalBlob";
  readonly uri: string;
  readonly format: string;
  readonly dimensionality: "single" | "multipart";
  /** What its writer says of its content, in the writer's words. */
  readonly hash: string | null;
};

/** The same for a table. */
export type ExternalTableLiteral = {
  readonly type: "externalTable";
  readonly uri: string;
  readonly columns: readonly Column[];
  readonly format: string;
  readonly hash: string | null;
};

/** Inputs or outputs by name. */
export type Literals = { readonly [name: string]: Literal };

export type Variable = {
  readonly name: string;
  readonly type: LiteralType;
  /** False if the task supplies the value itself when it is left out. */
  readonly required: boolean;
  readonly description: string | null;
  /** The default as people would write it in JSON, for `--help`; null if none or not JSON. */
  readonly defaultText: string | null;
};

export type TypedInterface = { readonly inputs: readonly Variable[]; readonly outputs: readonly Variable[] };

/** The name of the only output of a task whose output is not an object. */
export const soleOutput = "o0";

/** Stored form of literals: JSON text when short, else the digest of a blob that holds that text. */
export type Payload =
  | { readonly type: "inline"; readonly text: string }
  | { readonly type: "blob"; readonly digest: string };

/** Above this many characters of JSON a payload becomes a blob: rows stay small (design §4). */
export const inlineLimit = 4096;

export const emptyPayload: Payload = { type: "inline", text: "{}" };

export const blobUri = (digest: string, name: string): string => `godwit://${digest}/${encodeURIComponent(name)}`;

/** The digest and file name in a `godwit://` URI, or null for any other URI. */
export function parseBlobUri(uri: string): { readonly digest: string; readonly name: string } | null {
  const match = /^godwit:\/\/([0-9a-f]{64})\/([^/]*)$/.exec(uri);
  if (match === null) return null;
  const [, digest, name] = match as unknown as readonly [string, string, string];
  try {
    return { digest, name: decodeURIComponent(name) };
  } catch {
    return null; // A "%" that begins no character.
  }
}

/** R2 as a hash, hex. */
export const hashLiteral = (literal: Literal): string => sha256Hex(canonicalLiteral(literal));

/** Of the short ones, which are most, without a detour: they are hashed at every call. */
function canonicalLiteral(literal: Literal): string {
  switch (literal.type) {
    case "integer":
    case "string":
    case "boolean":
      return `{"type":"${literal.type}","value":${JSON.stringify(literal.value)}}`;
    default:
      return canonicalJson(byContent(literal));
  }
}

/** The hash of named literals. The order of names does not matter; `ignored` names are left out. */
export function hashLiterals(literals: Literals, ignored: readonly string[] = []): string {
  const parts: string[] = [];
  for (const name of Object.keys(literals).sort()) {
    if (!ignored.includes(name)) parts.push(name, hashLiteral(literals[name] as Literal));
  }
  return hashParts(...parts);
}

function byContent(literal: Literal): unknown {
  switch (literal.type) {
    case "blob":
      return { type: literal.type, dimensionality: literal.dimensionality, hash: literal.hash };
    case "structuredDataset":
      return { type: literal.type, hash: literal.hash };
    case "externalBlob":
      return { type: literal.type, dimensionality: literal.dimensionality, ...externalContent(literal) };
    case "externalTable":
      return { type: literal.type, ...externalContent(literal) };
    case "collection":
      return { type: literal.type, elements: literal.elements.map(byContent) };
    case "map":
      return {
        type: literal.type,
        entries: Object.fromEntries(Object.entries(literal.entries).map(([key, value]) => [key, byContent(value)])),
      };
    case "union":
      return { type: literal.type, tag: literal.tag, value: byContent(literal.value) };
    case "binary":
      return binaryContent(literal);
    default:
      return literal;
  }
}

/** R3. */
const externalContent = ({
  uri,
  hash,
}: ExternalBlobLiteral | ExternalTableLiteral): { readonly [key: string]: string } =>
  hash === null ? { uri } : { hash };

function binaryContent({ directories: _, ...literal }: BinaryLiteral): unknown {
  return literal.contentHash === undefined ? literal : { type: literal.type, contentHash: literal.contentHash };
}

/**
 * Every blob that the literals name, so that a cached or recovered result can be checked for its bytes.
 * A directory is named by its manifest (`directoriesOf`); its files are named there.
 */
export function blobsOf(literals: Literals): readonly string[] {
  const found: string[] = [];
  for (const leaf of leavesOf(literals)) {
    if (leaf.type === "binary") found.push(...(leaf.blobs ?? []));
    else found.push(leaf.hash);
  }
  return found;
}

/** Of `blobsOf`, the manifests of directories. */
export function directoriesOf(literals: Literals): readonly string[] {
  const found: string[] = [];
  for (const leaf of leavesOf(literals)) {
    if (leaf.type === "binary") found.push(...(leaf.directories ?? []));
    else if (leaf.type === "blob" && leaf.dimensionality === "multipart") found.push(leaf.hash);
  }
  return found;
}

/** Those that may name blobs. */
function leavesOf(literals: Literals): readonly (BlobLiteral | TableLiteral | BinaryLiteral)[] {
  const found: (BlobLiteral | TableLiteral | BinaryLiteral)[] = [];
  const visit = (literal: Literal): void => {
    switch (literal.type) {
      case "blob":
      case "structuredDataset":
      case "binary":
        found.push(literal);
        return;
      case "collection":
        for (const element of literal.elements) visit(element);
        return;
      case "map":
        for (const entry of Object.values(literal.entries)) visit(entry);
        return;
      case "union":
        visit(literal.value);
        return;
      default:
        return;
    }
  };
  for (const literal of Object.values(literals)) visit(literal);
  return found;
}
