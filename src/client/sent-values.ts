// Values on their way to a server: files, directories and tables that lie in blobs here are uploaded, and the
// values name where the server has them.
import type { BlobStore } from "../blob/blob.ts";
import { readManifest } from "../blob/directory.ts";
import { GodwitError } from "../core/error.ts";
import { type Literal, type Literals, parseBlobUri } from "../core/value.ts";
import type { Connection } from "./connection.ts";
import { upload } from "./uploads.ts";

export async function sentLiterals(connection: Connection, literals: Literals, blobs: BlobStore): Promise<Literals> {
  const sent = await Promise.all(
    Object.entries(literals).map(
      async ([name, literal]) => [name, await sentLiteral(connection, literal, blobs)] as const,
    ),
  );
  return Object.fromEntries(sent);
}

async function sentLiteral(connection: Connection, literal: Literal, blobs: BlobStore): Promise<Literal> {
  const inside = (each: Literal): Promise<Literal> => sentLiteral(connection, each, blobs);
  switch (literal.type) {
    case "collection":
      return { ...literal, elements: await Promise.all(literal.elements.map(inside)) };
    case "map":
      return { ...literal, entries: await sentLiterals(connection, literal.entries, blobs) };
    case "union":
      return { ...literal, value: await inside(literal.value) };
    case "blob": {
      const { format, dimensionality, hash } = literal;
      const uri =
        dimensionality === "single"
          ? await sentFile(connection, hash, nameOf(literal.uri), blobs)
          : await sentDirectory(connection, hash, blobs);
      return { type: "externalBlob", uri, format, dimensionality, hash };
    }
    case "structuredDataset": {
      const { columns, format, hash } = literal;
      return {
        type: "externalTable",
        uri: await sentFile(connection, hash, "table.parquet", blobs),
        columns,
        format,
        hash,
      };
    }
    case "binary":
      if ((literal.blobs ?? []).length === 0) return literal;
      throw new GodwitError(
        "unimplemented",
        "Files inside of objects cannot be sent to a server yet: give them inputs of their own.",
      );
    default:
      return literal;
  }
}

const nameOf = (uri: string): string => decodeURIComponent(parseBlobUri(uri)?.name ?? "") || "file";

const sentFile = async (connection: Connection, digest: string, filename: string, blobs: BlobStore): Promise<string> =>
  upload(connection, { filename, root: `godwit-file-${digest.slice(0, 32)}`, bytes: await blobs.read(digest) });

async function sentDirectory(connection: Connection, digest: string, blobs: BlobStore): Promise<string> {
  const root = `godwit-dir-${digest.slice(0, 32)}`;
  const { files } = await readManifest(blobs, digest);
  let directory = "";
  for (const file of files) {
    const uri = await upload(connection, { filename: file.path, root, bytes: await blobs.read(file.digest) });
    directory = uri.slice(0, uri.lastIndexOf(root) + root.length);
  }
  if (directory !== "") return directory;
  throw new GodwitError("invalid_argument", "A directory without files cannot be sent to a server.");
}
