// Descriptors of messages, enums, extensions and calls from a table, for what the protocol's package lacks.
// Names of extensions are not on the wire, and of messages only in JSON's `@type`; so one package has them all.
import {
  create,
  createFileRegistry,
  type DescEnum,
  type DescFile,
  type DescMessage,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  type FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as ProtoType,
} from "@bufbuild/protobuf/wkt";
import { assert } from "../core/error.ts";

const scalars = {
  string: ProtoType.STRING,
  bool: ProtoType.BOOL,
  int32: ProtoType.INT32,
  uint32: ProtoType.UINT32,
  int64: ProtoType.INT64,
  double: ProtoType.DOUBLE,
} as const;

/** A scalar, a message or enum of the package, or one of the table's own. */
export type FieldType =
  | keyof typeof scalars
  | DescMessage
  | DescEnum
  | { readonly own: "message" | "enum"; readonly name: string };

/** Its number, its type, and whether there may be several. */
export type Field = readonly [number: number, type: FieldType, label?: "repeated"];

export type Additions = {
  readonly package: string;
  /** Names of values, numbered from 0. */
  readonly enums: { readonly [name: string]: readonly string[] };
  readonly messages: { readonly [name: string]: { readonly [field: string]: Field } };
  /** Message → names of those of its fields of which it has one at most. */
  readonly oneofs: { readonly [message: string]: readonly string[] };
  readonly extensions: { readonly [name: string]: readonly [extendee: DescMessage, ...field: Field] };
  /** Service → call → names of the messages that it takes and gives. */
  readonly services: { readonly [name: string]: { readonly [call: string]: readonly [input: string, output: string] } };
};

export type Registry = ReturnType<typeof createFileRegistry>;

export function registryOf(additions: Additions): Registry {
  const files = filesIn(additions);
  const full = (name: string): string => `.${additions.package}.${name}`;
  const file = create(FileDescriptorProtoSchema, {
    name: "additions.proto",
    package: additions.package,
    syntax: "proto3",
    dependency: [...files.keys()],
    enumType: Object.entries(additions.enums).map(([name, values]) => ({
      name,
      value: values.map((value, number) => ({ name: value, number })),
    })),
    messageType: Object.entries(additions.messages).map(([name, fields]) => {
      const choice = additions.oneofs[name] ?? [];
      return {
        name,
        field: Object.entries(fields).map(([field, spec]) => ({
          ...fieldInit(field, spec, full),
          ...(choice.includes(field) ? { oneofIndex: 0 } : {}),
        })),
        oneofDecl: choice.length === 0 ? [] : [{ name: "value" }],
      };
    }),
    extension: Object.entries(additions.extensions).map(([name, [extendee, ...field]]) => ({
      ...fieldInit(name, field, full),
      extendee: `.${extendee.typeName}`,
    })),
    service: Object.entries(additions.services).map(([name, calls]) => ({
      name,
      method: Object.entries(calls).map(([call, [input, output]]) => ({
        name: call,
        inputType: full(input),
        outputType: full(output),
      })),
    })),
  });
  return createFileRegistry(file, (name) => files.get(name));
}

function fieldInit(name: string, [number, type, label]: Field, full: (name: string) => string) {
  const field: MessageInitShape<typeof FieldDescriptorProtoSchema> = {
    name,
    // What a compiler of the protocol would write down: without it, the field has no name in JSON.
    jsonName: name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()),
    number,
    label: label === "repeated" ? Label.REPEATED : Label.OPTIONAL,
  };
  if (typeof type === "string") return { ...field, type: scalars[type] };
  if ("own" in type)
    return { ...field, typeName: full(type.name), type: type.own === "enum" ? ProtoType.ENUM : ProtoType.MESSAGE };
  return { ...field, typeName: `.${type.typeName}`, type: type.kind === "enum" ? ProtoType.ENUM : ProtoType.MESSAGE };
}

/** Those in which what the table mentions is defined. */
function filesIn({ messages, extensions }: Additions): ReadonlyMap<string, DescFile> {
  const mentioned = [
    ...Object.values(messages).flatMap((fields) => Object.values(fields).map(([, type]) => type)),
    ...Object.values(extensions).flatMap(([extendee, , type]) => [extendee, type]),
  ];
  return new Map(
    mentioned.flatMap((type) =>
      typeof type === "object" && "file" in type ? [[`${type.file.name}.proto`, type.file] as const] : [],
    ),
  );
}

/** A descriptor that the table has, under the type that its user knows it by. */
export function found<T>(descriptor: unknown, name: string): T {
  assert(descriptor !== undefined, `the protocol's additions have no ${name}`);
  return descriptor as T;
}
