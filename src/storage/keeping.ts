// Files that a task has made elsewhere on this machine, in its working directory for one, brought below the root:
// Flyte's SDK leaves them where they are when the storage is a local path, and there they would not stay.
//
// R1  A hard link where the file system allows one, else a copy. What is below the root already stays where it is.
// R2  Of a symbolic link it is the file that is kept: the link would lead out of the root, where nothing is read.
import { randomUUID } from "node:crypto";
import { cp, link, mkdir, realpath, stat } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import { translated } from "../blob/storage-error.ts";
import type { BinaryLiteral, Literal, Literals } from "../core/value.ts";
import { isRecord, type Packed, pack, unpack, unpackExact } from "../idl/idl.ts";
import { isBelow, plainPath } from "./containment.ts";
import { changedLiterals, changedPacked } from "./literal-walk.ts";

type Into = {
  readonly root: string;
  /** Below the root; made if something is put there. */
  readonly dir: string;
};

/** The very same object if there was nothing to bring. */
export async function keptLiterals(literals: Literals, into: Into): Promise<Literals> {
  let isChanged = false;
  const moved = async (uri: string): Promise<string | null> => {
    const path = await keptPath(uri, into);
    if (path !== null) isChanged = true;
    return path;
  };
  const kept = await changedLiterals(literals, async (leaf): Promise<Literal> => {
    switch (leaf.type) {
      case "externalBlob":
      case "externalTable":
        return { ...leaf, uri: (await moved(leaf.uri)) ?? leaf.uri };
      case "binary":
        return leaf.tag === "msgpack" ? keptStruct(leaf, moved) : leaf;
      default:
        return leaf;
    }
  });
  return isChanged ? kept : literals;
}

async function keptStruct(
  literal: BinaryLiteral,
  moved: (uri: string) => Promise<string | null>,
): Promise<BinaryLiteral> {
  const bytes = Buffer.from(literal.value, "base64");
  let isChanged = false;
  const packed = await changedPacked(unpackExact(bytes) ?? unpack(bytes), async (inner) => {
    const field = handleField(inner);
    if (field === null || !isRecord(inner)) return null;
    const path = await moved(inner[field] as string);
    if (path === null) return null;
    isChanged = true;
    return { ...inner, [field]: path };
  });
  return isChanged ? { ...literal, value: Buffer.from(pack(packed)).toString("base64") } : literal;
}

/** Flyte's File and Dir within a struct have a `path`, its DataFrame a `uri`, and all a `format`. */
function handleField(packed: Packed): "path" | "uri" | null {
  if (!isRecord(packed) || typeof packed.format !== "string") return null;
  if (typeof packed.path === "string") return "path";
  return typeof packed.uri === "string" ? "uri" : null;
}

/** R1, R2. Null: it may stay, or there is nothing. */
async function keptPath(uri: string, { root, dir }: Into): Promise<string | null> {
  const path = plainPath(uri);
  if (path === null || isBelow(root, path)) return null;
  const found = await stat(path).catch(() => null); // A task may name what is not there; whoever opens it is told.
  if (found === null) return null;
  const place = join(dir, randomUUID());
  const kept = join(place, basename(path));
  await translated(kept, async () => {
    await mkdir(place, { recursive: true });
    if (found.isDirectory()) await cp(path, kept, { recursive: true, dereference: true, filter: isKept });
    else await link(await realpath(path), kept).catch(() => cp(path, kept, { dereference: true }));
  });
  return kept;
}

/** Neither a link to nothing, nor one to a directory that it lies in. */
async function isKept(path: string): Promise<boolean> {
  const real = await realpath(path).catch(() => null);
  return real !== null && !path.startsWith(real + sep);
}
