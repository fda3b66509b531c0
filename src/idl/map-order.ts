// The order of a message's maps. Protobuf gives them none, and Python writes them in another one in each of
// its processes: what is compared by its bytes, or named by their hash, is put in order first.
import { clone, type DescField, type DescMessage, type Message, type MessageShape } from "@bufbuild/protobuf";

/** The same message, with the entries of all maps in it by their keys. */
export function mapsInOrder<Desc extends DescMessage>(desc: Desc, message: MessageShape<Desc>): MessageShape<Desc> {
  const copy = clone(desc, message);
  order(desc, copy);
  return copy;
}

function order(desc: DescMessage, message: Message): void {
  const fields = message as unknown as Record<string, unknown>;
  for (const member of desc.members) {
    const value = fields[member.localName];
    if (member.kind === "oneof") {
      const chosen = value as { readonly case?: string; value?: unknown } | undefined;
      const field = member.fields.find(({ localName }) => localName === chosen?.case);
      if (chosen !== undefined && field !== undefined) chosen.value = ordered(field, chosen.value);
    } else if (value !== undefined) fields[member.localName] = ordered(member, value);
  }
}

function ordered(field: DescField, value: unknown): unknown {
  switch (field.fieldKind) {
    case "map": {
      const entries = Object.entries(value as Record<string, unknown>).map(
        ([key, entry]) => [key, orderedOne(field.message, entry)] as const,
      );
      return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
    }
    case "list":
      return field.message === undefined
        ? value
        : (value as readonly unknown[]).map((each) => orderedOne(field.message, each));
    case "message":
      return orderedOne(field.message, value);
    default:
      return value;
  }
}

function orderedOne(desc: DescMessage | undefined, value: unknown): unknown {
  if (desc === undefined || typeof value !== "object" || value === null) return value;
  // The messages for JSON and for single values stand in fields as what they mean.
  if (!("$typeName" in value)) return orderedJson(value);
  order(desc, value as Message);
  return value;
}

function orderedJson(value: unknown): unknown {
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(orderedJson);
  const entries = Object.entries(value).map(([key, member]) => [key, orderedJson(member)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
