// What Zod knows and its JSON Schema does not say, put there as marks (idl/struct-json.ts R1).
//
// R1  A schema is read through `_zod`, the part that all versions 4 share, so that it does not matter
//     which copy of Zod made it.
import type { JsonSchema } from "../core/value.ts";

type ZodSchema = {
  readonly _zod: {
    readonly def: ZodDef;
    readonly bag: { readonly Class?: unknown };
    readonly traits: ReadonlySet<string>;
  };
};

type ZodDef = {
  readonly type: string;
  readonly coerce?: boolean;
  readonly values?: readonly unknown[];
  readonly in?: ZodSchema;
  readonly keyType?: ZodSchema;
  readonly valueType?: ZodSchema;
  readonly fn?: (value: unknown) => unknown;
  readonly [markKey]?: Mark;
};

type Mark = {
  readonly schema: JsonSchema;
  /** Of a table: an object with its columns, or null. */
  readonly columns: ZodSchema | null;
};

/** In the definition, not beside it: refine() and meta() make new schemas of the old definition. */
const markKey: unique symbol = Symbol.for("godwit.mark");

/** Makes a schema recognisable to `markZod`, and gives it back. */
export function marked<S>(schema: S, mark: JsonSchema, columns: unknown = null): S {
  Object.assign((schema as unknown as ZodSchema)._zod.def, { [markKey]: { schema: mark, columns } });
  return schema;
}

type Side = "input" | "output";
type Override = (at: { readonly zodSchema: unknown; readonly jsonSchema: Record<string, unknown> }) => void;

/** For Zod's `override` option. */
export function markZod(side: Side): Override {
  const open = new Set<unknown>();
  const describe = (schema: ZodSchema): JsonSchema => {
    if (open.has(schema)) return refused("a Map or Set that contains itself");
    open.add(schema);
    try {
      return standardOf(schema).jsonSchema[side]({
        target: "draft-2020-12",
        libraryOptions: { unrepresentable: "any", override },
      });
    } finally {
      open.delete(schema);
    }
  };
  const override: Override = ({ zodSchema, jsonSchema }) => {
    const mark = markOf(zodSchema as ZodSchema, side, describe);
    if (mark === null) return;
    const { description, default: standard } = jsonSchema;
    if (mark["x-godwit"] !== undefined) for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
    Object.assign(jsonSchema, mark);
    if (description !== undefined) jsonSchema.description = description;
    if (standard !== undefined) jsonSchema.default = standard;
  };
  return override;
}

type Standard = { readonly jsonSchema: { readonly [side in Side]: (options: unknown) => JsonSchema } };
const standardOf = (schema: ZodSchema): Standard =>
  (schema as unknown as { readonly "~standard": Standard })["~standard"];

const refused = (reason: string): JsonSchema => ({ "x-godwit": "refused", reason });

function markOf(schema: ZodSchema, side: Side, describe: (schema: ZodSchema) => JsonSchema): JsonSchema | null {
  const { def } = schema._zod;
  const mark = def[markKey];
  if (mark !== undefined)
    return mark.columns === null ? mark.schema : { ...mark.schema, columns: describe(mark.columns) };
  switch (def.type) {
    case "date":
    case "bigint":
      return { "x-godwit": def.type, ...coercion(def, side) };
    case "number":
    case "string":
    case "boolean":
      return def.coerce === true ? coercion(def, side) : null;
    case "nan":
    case "undefined":
      return { "x-godwit": def.type };
    case "void":
      return { "x-godwit": "undefined" };
    case "literal":
      return def.values?.some((value) => typeof value === "bigint") ? { "x-godwit": "bigint" } : null;
    case "map":
      return {
        "x-godwit": "map",
        key: describe(def.keyType as ZodSchema),
        value: describe(def.valueType as ZodSchema),
      };
    case "set":
      return { "x-godwit": "set", items: describe(def.valueType as ZodSchema) };
    case "custom":
      return markOfCustom(schema);
    case "function":
    case "symbol":
    case "promise":
      return refused(`a ${def.type}`);
    case "file":
      return refused("a web File: use file() of godwit");
    case "catch":
      // Anything may come in: what does not fit is caught.
      return side === "input" ? { "x-godwit": "any" } : null;
    case "pipe":
      return side === "input" && def.in?._zod.def.type === "transform" ? { "x-godwit": "any" } : null;
    default:
      return null;
  }
}

/** What is coerced may come in as anything; it travels as what it becomes. */
const coercion = (def: ZodDef, side: Side): JsonSchema =>
  def.coerce === true && side === "input" ? { "x-godwit-coerce": true } : {};

function markOfCustom({ _zod: { bag, def } }: ZodSchema): JsonSchema | null {
  if (bag.Class === Uint8Array || bag.Class === Buffer) return { "x-godwit": "bytes" };
  if (bag.Class === Date) return { "x-godwit": "date" };
  if (typeof bag.Class === "function") return refused(`an instance of ${bag.Class.name}`);
  // After .refine() the class is forgotten; the check itself still knows.
  return takes(def, new Uint8Array()) && !takes(def, {}) && !takes(def, "") ? { "x-godwit": "bytes" } : null;
}

function takes(def: ZodDef, value: unknown): boolean {
  try {
    return def.fn?.(value) === true;
  } catch {
    // A user's check that does not expect such a value.
    return false;
  }
}
