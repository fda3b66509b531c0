// The inputs and outputs of a task: JavaScript values on one side, named literals on the other.
//
// R1  Inputs travel as the schema takes them, before defaults and transforms: the receiving task parses
//     them. Outputs travel as the schema gives them.
// R2  Everything that depends on the schema alone is made once; encoding a value without files does not
//     wait for anything.
import type { BlobStore } from "../blob/blob.ts";
import { GodwitError } from "../core/error.ts";
import { type Literal, type Literals, soleOutput, type Variable } from "../core/value.ts";
import { type Coder, coderOf } from "./coder.ts";
import { explained } from "./depth.ts";
import { type Handle, storeIn } from "./handle.ts";
import { atStep, Misfit, misfitError, pathText } from "./misfit.ts";
import { loosely } from "./packer.ts";
import { plainObject } from "./packer-composite.ts";
import { packerOf } from "./packers.ts";
import type { Reading, Writing } from "./packing.ts";
import { own } from "./plain-object.ts";
import { dropsUndeclared, isOptional, jsonSchemaOf, type Schema, type SchemaIssue, type Side } from "./schema.ts";
import { type Property, type Shape, shapeOf } from "./shape.ts";
import { literalTypeOf } from "./shape-type.ts";

export type Issue = {
  /** `layers[2].units`; empty for the value itself. */
  readonly path: string;
  readonly message: string;
};

export type Validated =
  | { readonly type: "valid"; readonly value: unknown }
  | { readonly type: "invalid"; readonly issues: readonly Issue[] };

export type Codec = {
  readonly variables: readonly Variable[];
  /** Throws `invalid_argument` naming the path inside the value. Waits only to store files, directories and tables. */
  encode(value: unknown, blobs: BlobStore): Literals | Promise<Literals>;
  /** Throws `invalid_argument`. Files and the like are read when they are asked. */
  decode(literals: Literals, blobs: BlobStore): unknown;
  /** What the schema makes of the value. */
  validate(value: unknown): Validated | Promise<Validated>;
};

/** For an object schema; null: the task takes nothing. `what` is the task's full name, for errors. */
export function inputCodec(schema: Schema | null, what: string): Codec {
  const where = `${what}: input`;
  if (schema === null) return emptyCodec("input");
  const shape = topShape(schema, "input", where);
  if (shape.type !== "object" || shape.rest !== null) {
    throw new GodwitError(
      "invalid_argument",
      `${where}: the schema has to be an object with named properties, such as z.object({ depth: z.int() }).`,
    );
  }
  return objectCodec(schema, shape.properties, where);
}

/** An object's properties are outputs of their own; any other value is the output `o0`. Null: the task returns nothing. */
export function outputCodec(schema: Schema | null, what: string): Codec {
  const where = `${what}: output`;
  if (schema === null) return emptyCodec("output");
  const shape = topShape(schema, "output", where);
  const isClosed = shape.type === "object" && shape.rest === null && !isOptional(schema, "output");
  return isClosed ? objectCodec(schema, shape.properties, where) : soleCodec(schema, shape, where);
}

export type DeployedOutput = {
  readonly codec: Codec;
  /** What the deployed task may declare: outputs of their own names, one value, or one output for each item of a tuple. */
  readonly forms: readonly (readonly Variable[])[];
};

/** Of a task in another language: an object may come as its properties, or as one value. */
export function deployedOutputCodec(schema: Schema | null, what: string): DeployedOutput {
  const codec = outputCodec(schema, what);
  if (schema === null) return { codec, forms: [[]] };
  const where = `${what}: output`;
  const shape = topShape(schema, "output", where);
  const sole = soleCodec(schema, shape, where);
  const items = shape.type === "tuple" && shape.rest === null ? shape.items : [];
  const tuple = items.map((item, at) => ({ name: `o${at}`, shape: item, required: true, ...undescribed }));
  const split = objectCodec(schema, tuple, where);
  const isSole = (literals: Literals): boolean => Object.keys(literals).join() === soleOutput;
  return {
    forms: [codec.variables, sole.variables, ...(tuple.length > 1 ? [split.variables] : [])],
    codec: {
      ...codec,
      decode: (literals, blobs) => {
        if (isSole(literals)) return sole.decode(literals, blobs);
        if (tuple.length < 2) return codec.decode(literals, blobs);
        const values = split.decode(literals, blobs) as { readonly [name: string]: unknown };
        return tuple.map(({ name }) => values[name]);
      },
    },
  };
}

const undescribed = { description: null, defaultText: null };

function topShape(schema: Schema, side: Side, where: string): Shape {
  const shape = shapeOf(jsonSchemaOf(schema, side, where), where, dropsUndeclared(schema));
  return shape.type === "recursive" ? shape.target() : shape;
}

function variableOf({ name, shape, required, description, defaultText }: Property): Variable {
  return { name, type: literalTypeOf(shape), required, description, defaultText };
}

type Part = {
  readonly name: string;
  readonly coder: Coder;
  /** What becomes of a value that is undefined: a schema may demand a key that it lets be undefined. */
  readonly absent: "left out" | "encoded" | "refused";
};

function partOf({ name, required, shape }: Property): Part {
  const absent = !required ? "left out" : packerOf(shape).takes(undefined, loosely) ? "encoded" : "refused";
  return { name, coder: coderOf(shape), absent };
}

function objectCodec(schema: Schema, properties: readonly Property[], where: string): Codec {
  const parts = properties.map(partOf);
  return {
    variables: properties.map(variableOf),
    encode: (value, blobs) => encoded(where, blobs, value, (writing) => encodeParts(parts, value, writing)),
    decode: (literals, blobs) => decoded(where, () => decodeParts(parts, literals, { blobs })),
    validate: validator(schema),
  };
}

function encodeParts(parts: readonly Part[], value: unknown, writing: Writing): Literals {
  const object = plainObject(value);
  const literals: Record<string, Literal> = {};
  for (const { name, absent, coder } of parts) {
    const item = own(object, name);
    if (item === undefined) {
      if (absent === "refused") throw atStep(new Misfit("is missing."), name);
      if (absent === "left out") continue;
    }
    try {
      literals[name] = coder.encode(item, writing);
    } catch (error) {
      throw atStep(error, name);
    }
  }
  return literals;
}

function decodeParts(parts: readonly Part[], literals: Literals, reading: Reading): unknown {
  const value: Record<string, unknown> = {};
  for (const { name, coder } of parts) {
    const literal = own(literals, name);
    if (literal === undefined) continue;
    try {
      value[name] = coder.decode(literal, reading);
    } catch (error) {
      throw atStep(error, name);
    }
  }
  return value;
}

function soleCodec(schema: Schema, shape: Shape, where: string): Codec {
  if (shape.type === "scalar" && shape.scalar === "undefined")
    return { ...emptyCodec("output"), validate: validator(schema) };
  const coder = coderOf(shape);
  const required = !isOptional(schema, "output");
  const property: Property = { name: soleOutput, shape, required, description: null, defaultText: null };
  return {
    variables: [variableOf(property)],
    encode: (value, blobs) =>
      encoded(where, blobs, value, (writing): Literals => {
        if (value === undefined && !required) return {};
        return { [soleOutput]: coder.encode(value, writing) };
      }),
    decode: (literals, blobs) =>
      decoded(where, () => {
        const literal = literals[soleOutput];
        return literal === undefined ? undefined : coder.decode(literal, { blobs });
      }),
    validate: validator(schema),
  };
}

const emptyCodec = (side: Side): Codec => ({
  variables: [],
  encode: () => ({}),
  decode: () => undefined,
  validate: (value) => {
    const given = side === "input" && typeof value === "object" && value !== null ? Object.keys(value) : [];
    if (given.length === 0) return { type: "valid", value: undefined };
    return { type: "invalid", issues: given.map((path) => ({ path, message: "the task takes no input." })) };
  },
});

// Values with more files than this are unheard of; storing a few at a time keeps disks and sockets busy.
const storedAtOnce = 8;

/**
 * Once over the value; if it held files that are not stored, then these are stored and it is gone over
 * again, which finds their literals.
 */
export function encoded(
  where: string,
  blobs: BlobStore,
  value: unknown,
  encode: (writing: Writing) => Literals,
): Literals | Promise<Literals> {
  const pass = (writing: Writing): Literals => {
    try {
      return encode(writing);
    } catch (error) {
      throw misfitError(explained(error, value), where);
    }
  };
  const writing = newWriting(blobs, new Map());
  const literals = pass(writing);
  return writing.pending.size === 0 ? literals : encodedAfterStoring(writing, pass);
}

const newWriting = (blobs: BlobStore, failures: ReadonlyMap<Handle, unknown>): Writing => ({
  blobs,
  pending: new Set(),
  failures,
  digests: new Set(),
  directories: new Set(),
  isByContent: false,
  depth: 0,
});

async function encodedAfterStoring(first: Writing, encode: (writing: Writing) => Literals): Promise<Literals> {
  const failures = new Map<Handle, unknown>();
  const handles = [...first.pending].values();
  const work = async (): Promise<void> => {
    for (const handle of handles) {
      await handle[storeIn](first.blobs).catch((error: unknown) => failures.set(handle, error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(storedAtOnce, first.pending.size) }, work));
  return encode(newWriting(first.blobs, failures));
}

const decoded = (where: string, decode: () => unknown): unknown => guarded(where, decode);

export function guarded<T>(where: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw misfitError(error, where);
  }
}

function validator(schema: Schema): Codec["validate"] {
  const { validate } = schema["~standard"];
  return (value) => {
    try {
      const result = validate(value);
      return result instanceof Promise ? result.then(validated) : validated(result);
    } catch (error) {
      // A recursive schema follows a value that contains itself until the stack ends.
      const misfit = explained(error, value);
      if (!(misfit instanceof Misfit)) throw misfit;
      return { type: "invalid", issues: [{ path: pathText(misfit.steps.toReversed()), message: misfit.message }] };
    }
  };
}

type Result = Awaited<ReturnType<Schema["~standard"]["validate"]>>;

const validated = (result: Result): Validated =>
  result.issues === undefined
    ? { type: "valid", value: result.value }
    : { type: "invalid", issues: result.issues.map((issue) => issueOf(issue, [])) };

type Steps = readonly (string | number)[];

function issueOf(issue: SchemaIssue, above: Steps): Issue {
  const steps = [...above, ...(issue.path ?? []).map(stepOf)];
  const members = (issue as { readonly errors?: readonly (readonly SchemaIssue[])[] }).errors ?? [];
  const inside = members.flatMap((member) => member.slice(0, 1));
  if (inside.length === 0) return { path: pathText(steps), message: issue.message };
  // Zod says of a union no more than that nothing fits. The member that got furthest was meant; if all
  // failed at once, what each asks for is said.
  const furthest = inside.reduce((best, one) => ((one.path?.length ?? 0) > (best.path?.length ?? 0) ? one : best));
  if ((furthest.path?.length ?? 0) > 0) return issueOf(furthest, steps);
  const messages = inside.map((one) => issueOf(one, steps).message);
  return { path: pathText(steps), message: [...new Set(messages)].join(", or ") };
}

function stepOf(step: PropertyKey | { readonly key: PropertyKey }): string | number {
  const key = typeof step === "object" ? step.key : step;
  return typeof key === "number" ? key : String(key);
}
