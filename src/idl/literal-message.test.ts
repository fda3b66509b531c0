// Values, their types and interfaces through the protocol's messages and bytes: nothing is lost on the way.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { LiteralSchema } from "#idl/flyteidl2/core/literals_pb.js";
import { LiteralTypeSchema } from "#idl/flyteidl2/core/types_pb.js";
import { canonicalJson } from "../core/hash.ts";
import { blobUri, hashLiteral, type Literal, type LiteralType, type Variant } from "../core/value.ts";
import { literalMessage, literalOf } from "./literal-message.ts";
import { type Packed, pack, tag } from "./msgpack.ts";
import { floatToJson } from "./struct-json.ts";
import { typeMessage, typeOf } from "./type-message.ts";

type Case = { readonly type: LiteralType; readonly literal: Literal };

const sent = ({ type, literal }: Case): Literal => {
  const bytes = toBinary(LiteralSchema, literalMessage(literal, type));
  return literalOf(fromBinary(LiteralSchema, bytes), type);
};

const sentType = (type: LiteralType): LiteralType =>
  typeOf(fromBinary(LiteralTypeSchema, toBinary(LiteralTypeSchema, typeMessage(type))));

const digest = fc.stringMatching(/^[0-9a-f]{64}$/);
const text = fc.string({ unit: "grapheme", maxLength: 8 });
const word = fc.stringMatching(/^[a-z]{1,6}$/);

const simple = (name: string): LiteralType => ({ type: "simple", simple: name }) as LiteralType;

const scalars: fc.Arbitrary<Case> = fc.oneof(
  fc.constant<Case>({ type: simple("none"), literal: { type: "none" } }),
  fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((value): Case => ({ type: simple("integer"), literal: { type: "integer", value: String(value) } })),
  fc.double().map((value): Case => ({ type: simple("float"), literal: { type: "float", value: floatToJson(value) } })),
  text.map((value): Case => ({ type: simple("string"), literal: { type: "string", value } })),
  fc.boolean().map((value): Case => ({ type: simple("boolean"), literal: { type: "boolean", value } })),
  fc
    .tuple(
      fc.date({ min: new Date("0000-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }),
      fc.integer({ min: 0, max: 999_999 }),
    )
    .map(([date, nanoseconds]): Case => {
      const rest = String(nanoseconds).padStart(6, "0").replace(/0+$/, "");
      return {
        type: simple("datetime"),
        literal: { type: "datetime", value: date.toISOString().replace("Z", `${rest}Z`) },
      };
    }),
  fc
    .bigInt({ min: -(10n ** 20n), max: 10n ** 20n })
    .map((value): Case => ({ type: simple("duration"), literal: { type: "duration", value: String(value) } })),
  fc.uint8Array({ maxLength: 8 }).map(
    (bytes): Case => ({
      type: simple("binary"),
      literal: { type: "binary", tag: "", value: Buffer.from(bytes).toString("base64") },
    }),
  ),
);

const structs: fc.Arbitrary<Case> = fc
  .dictionary(word, fc.oneof(fc.string(), fc.bigInt({ min: -9n, max: 9n }), fc.double(), fc.constant(null)))
  .map((value): Case => {
    const bytes = pack(value as Packed);
    return {
      type: { type: "struct", schema: { type: "object", properties: {}, required: [] } },
      literal: { type: "binary", tag: "msgpack", value: Buffer.from(bytes).toString("base64") },
    };
  });

const dimensionality = fc.constantFrom("single" as const, "multipart" as const);
const hash = fc.option(word, { nil: null });
const columns = fc.array(
  fc.tuple(word, fc.constantFrom(simple("integer"), simple("string"))).map(([name, type]) => ({ name, type })),
  {
    maxLength: 3,
  },
);

const stored: fc.Arbitrary<Case> = fc.oneof(
  fc.record({ digest, name: word, format: word, dimensionality, sizeBytes: fc.nat() }).map(
    ({ digest, name, sizeBytes, ...type }): Case => ({
      type: { type: "blob", ...type },
      literal: { type: "blob", ...type, uri: blobUri(digest, name), hash: digest, sizeBytes },
    }),
  ),
  fc.record({ uri: word, format: word, dimensionality, hash }).map(
    ({ uri, hash, ...type }): Case => ({
      type: { type: "blob", ...type },
      literal: { type: "externalBlob", ...type, uri: `/raw/${uri}`, hash },
    }),
  ),
  fc.record({ digest, name: word, columns, sizeBytes: fc.nat(), rows: fc.nat() }).map(
    ({ digest, name, ...rest }): Case => ({
      type: { type: "structuredDataset", columns: rest.columns, format: "parquet" },
      literal: { type: "structuredDataset", ...rest, uri: blobUri(digest, name), format: "parquet", hash: digest },
    }),
  ),
  fc.record({ uri: word, columns, format: word, hash }).map(
    ({ uri, hash, ...type }): Case => ({
      type: { type: "structuredDataset", ...type },
      literal: { type: "externalTable", ...type, uri: `/raw/${uri}`, hash },
    }),
  ),
);

const { any } = fc.letrec<{ any: Case }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    scalars,
    structs,
    stored,
    tie("any").map(
      ({ type, literal }): Case => ({
        type: { type: "collection", element: type },
        literal: { type: "collection", elements: [literal, literal] },
      }),
    ),
    fc.tuple(tie("any"), text).map(
      ([{ type, literal }, key]): Case => ({
        type: { type: "map", value: type },
        literal: { type: "map", entries: { [key]: literal, other: literal } },
      }),
    ),
    fc.tuple(fc.uniqueArray(word, { minLength: 1, maxLength: 3 }), tie("any")).map(
      ([values]): Case => ({
        type: { type: "enum", values },
        literal: { type: "string", value: values[0] as string },
      }),
    ),
    fc.tuple(distinctTypes(tie("any")), fc.nat(2)).map(([members, chosen]): Case => {
      const variants = numbered(members.map(({ type }) => type));
      const index = chosen % members.length;
      return {
        type: { type: "union", variants },
        literal: { type: "union", tag: (variants[index] as Variant).tag, value: (members[index] as Case).literal },
      };
    }),
  ),
}));

/** Members of one type say the same, and are one. */
function distinctTypes(cases: fc.Arbitrary<Case>): fc.Arbitrary<Case[]> {
  return fc.uniqueArray(cases, { minLength: 1, maxLength: 3, selector: ({ type }) => canonicalJson(type) });
}

/** As the SDK names them: members of one kind have one tag, numbered from the second on. */
function numbered(types: readonly LiteralType[]): readonly Variant[] {
  const counts = new Map<string, number>();
  return types.map((type) => {
    const tag = type.type === "simple" ? type.simple : type.type;
    const count = (counts.get(tag) ?? 0) + 1;
    counts.set(tag, count);
    return { tag: count === 1 ? tag : `${tag} ${count}`, type };
  });
}

test("a value comes back from its message as what it was, and with its hash", () => {
  fc.assert(
    fc.property(any, (value) => {
      const back = sent(value);
      assert.deepEqual(back, value.literal);
      assert.equal(hashLiteral(back), hashLiteral(value.literal));
    }),
  );
});

test("a type comes back from its message as what it was", () => {
  fc.assert(fc.property(any, ({ type }) => assert.deepEqual(sentType(type), type)));
});

const union: LiteralType = {
  type: "union",
  variants: [
    { tag: "int", type: simple("integer") },
    { tag: "Object-Dataclass-Transformer", type: { type: "struct", schema: objectWith("a") } },
    { tag: "Object-Dataclass-Transformer 2", type: { type: "struct", schema: objectWith("b") } },
    { tag: "none", type: simple("none") },
  ],
};

function objectWith(name: string) {
  return { type: "object", properties: { [name]: { type: "integer" } }, required: [name], additionalProperties: false };
}

const struct = (value: Packed): Literal => ({
  type: "binary",
  tag: "msgpack",
  value: Buffer.from(pack(value)).toString("base64"),
});

test("a value of another SDK's type becomes the member of the union that it fits", () => {
  const cases: [Literal, string][] = [
    [{ type: "integer", value: "3" }, "int"],
    [{ type: "none" }, "none"],
    [struct({ b: 1n }), "Object-Dataclass-Transformer 2"],
    [{ type: "union", tag: "Pydantic Transformer", value: struct({ b: 1n }) }, "Object-Dataclass-Transformer 2"],
    [{ type: "union", tag: "anything", value: { type: "integer", value: "3" } }, "int"],
  ];
  for (const [literal, tag] of cases) {
    const value = literal.type === "union" ? literal.value : literal;
    assert.deepEqual(sent({ type: union, literal }), { type: "union", tag, value });
  }
});

test("a value of a union becomes the member's where no union is asked for", () => {
  const value: Literal = { type: "integer", value: "3" };
  assert.deepEqual(sent({ type: simple("integer"), literal: { type: "union", tag: "int", value } }), value);
});

test("a value of which nobody knows the type keeps its tag", () => {
  const literal: Literal = { type: "union", tag: "int", value: { type: "integer", value: "3" } };
  const message = fromBinary(LiteralSchema, toBinary(LiteralSchema, literalMessage(literal, null)));
  assert.deepEqual(literalOf(message, null), literal);
});

test("what core has no word for goes out as it came", () => {
  const generic = { case: "generic", value: { pickle_file: "/raw/x" } } as const;
  const pickled = create(LiteralSchema, {
    value: { case: "scalar", value: { value: generic } },
    metadata: { format: "pickle" },
  });
  const offloaded = create(LiteralSchema, { value: { case: "offloadedMetadata", value: { uri: "/raw/big.pb" } } });
  const schema = create(LiteralSchema, {
    value: { case: "scalar", value: { value: { case: "schema", value: { uri: "/raw/old" } } } },
  });
  for (const message of [pickled, offloaded, schema]) {
    const literal = literalOf(message, { type: "struct", schema: null });
    assert.deepEqual(toBinary(LiteralSchema, literalMessage(literal, null)), toBinary(LiteralSchema, message));
  }
});

test("an empty value, a moment outside of the years and a type that says nothing are refused", () => {
  const moment = { case: "primitive", value: { value: { case: "datetime", value: { seconds: 10n ** 12n } } } } as const;
  for (const wrong of [
    () => literalOf(undefined, null),
    () => literalOf(create(LiteralSchema), null),
    () => literalOf(create(LiteralSchema, { value: { case: "scalar", value: {} } }), null),
    () => literalOf(create(LiteralSchema, { value: { case: "scalar", value: { value: moment } } }), null),
    () => typeOf(create(LiteralTypeSchema)),
  ])
    assert.throws(wrong, { code: "invalid_argument" });
});

test("a file of our own keeps its size and its place in a struct through a message", () => {
  const digest = "ab".repeat(32);
  const file = { uri: blobUri(digest, "a.txt"), hash: digest, dimensionality: "single", format: "txt", sizeBytes: 5n };
  const directory = { ...file, dimensionality: "multipart", uri: blobUri("cd".repeat(32), "d"), hash: "cd".repeat(32) };
  const literal = struct({ files: [file, tag("blob", directory)] });
  assert.deepEqual(sent({ type: { type: "struct", schema: null }, literal }), {
    ...literal,
    blobs: [digest, "cd".repeat(32)],
    directories: ["cd".repeat(32)],
  });
});
