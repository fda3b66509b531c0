// The types of tasks as users write them: Zod, or any Standard Schema that can give JSON Schema.
// https://standardschema.dev
import { GodwitError } from "../core/error.ts";
import type { JsonSchema } from "../core/value.ts";
import { markZod } from "./zod-marks.ts";

export interface Schema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => Result<Output> | Promise<Result<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
    readonly jsonSchema?: { readonly input: JsonSchemaOf; readonly output: JsonSchemaOf };
  };
}

type JsonSchemaOf = (options: {
  readonly target: "draft-2020-12";
  readonly libraryOptions?: Record<string, unknown>;
}) => Record<string, unknown>;

type Result<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export type SchemaIssue = {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
};

/** What a schema takes: before defaults and transforms. */
export type InferInput<S extends Schema> = NonNullable<S["~standard"]["types"]>["input"];

/** What a schema gives: after defaults and transforms. */
export type InferOutput<S extends Schema> = NonNullable<S["~standard"]["types"]>["output"];

export type Side = "input" | "output";

/** The JSON Schema of one side, with marks (idl/struct-json.ts R1) where the library says more than JSON Schema can. */
export function jsonSchemaOf(schema: Schema, side: Side, where: string): JsonSchema {
  const standard = (schema as Partial<Schema> | null)?.["~standard"];
  if (standard === undefined) {
    throw new GodwitError("invalid_argument", `${where}: expected a schema, such as z.object({ … }) of Zod.`);
  }
  if (standard.jsonSchema === undefined) {
    throw new GodwitError(
      "invalid_argument",
      `${where}: the schema of ${standard.vendor} does not give JSON Schema, which other languages and the command line need. Use Zod 4.2 or later, or another library with "~standard".jsonSchema.`,
    );
  }
  try {
    // Other libraries do not look at options of Zod.
    const libraryOptions = standard.vendor === "zod" ? { unrepresentable: "any", override: markZod(side) } : {};
    return standard.jsonSchema[side]({ target: "draft-2020-12", libraryOptions });
  } catch (error) {
    if (error instanceof GodwitError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new GodwitError("invalid_argument", `${where}: the schema cannot be described: ${reason}`, { cause: error });
  }
}

/** Whether the schema as a whole may be left out. */
export const isOptional = (schema: Schema, side: Side): boolean => {
  const zod = (schema as { readonly _zod?: { readonly optin?: string; readonly optout?: string } })._zod;
  return (side === "input" ? zod?.optin : zod?.optout) === "optional";
};

/** Zod drops what an object does not declare; for other libraries an open object stays open. */
export const dropsUndeclared = (schema: Schema): boolean => schema["~standard"].vendor === "zod";
