// Every method of every service of the protocol, and calls of them with bytes that a test chooses.
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import type { DescMethod, DescService } from "@bufbuild/protobuf";

const idl = join(import.meta.dirname, "../../build/idl");

/** By their path: `flyteidl2.task.TaskService/ListTasks`. */
export async function allMethods(): Promise<ReadonlyMap<string, DescMethod>> {
  const methods = new Map<string, DescMethod>();
  for (const file of globSync("flyteidl2/**/*_pb.js", { cwd: idl })) {
    const exported: { readonly [name: string]: unknown } = await import(join(idl, file));
    for (const service of Object.values(exported).filter(isService))
      for (const method of service.methods) methods.set(`${service.typeName}/${method.name}`, method);
  }
  return methods;
}

const isService = (value: unknown): value is DescService =>
  typeof value === "object" && value !== null && "kind" in value && value.kind === "service";

export type Told = { readonly code: string; readonly message: string };

export type Format = "proto" | "json";

/** How long a stream may go on; what it is for is told before. */
const streamMs = 300;

/** What became of a call, in Connect's words; a stream is read to its end. */
export async function send(url: string, method: DescMethod, body: Uint8Array, format: Format): Promise<Told> {
  const isStream = method.methodKind !== "unary";
  const response = await fetch(`${url}/${method.parent.typeName}/${method.name}`, {
    method: "POST",
    headers: {
      "content-type": `application/${isStream ? "connect+" : ""}${format}`,
      "connect-timeout-ms": String(isStream ? streamMs : 30_000),
    },
    body: new Uint8Array(isStream ? enveloped(body) : body),
  });
  const answer = Buffer.from(await response.arrayBuffer());
  if (isStream) return endOf(answer);
  return response.status === 200 ? { code: "ok", message: "" } : JSON.parse(answer.toString());
}

function enveloped(body: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

function endOf(answer: Buffer): Told {
  for (let at = 0; at + 5 <= answer.length; ) {
    const end = at + 5 + answer.readUInt32BE(at + 1);
    if (((answer[at] as number) & 2) !== 0)
      return JSON.parse(answer.subarray(at + 5, end).toString()).error ?? { code: "ok", message: "" };
    at = end;
  }
  throw new Error(`The stream did not end as streams do: ${answer.subarray(0, 200)}.`);
}

const codes = [
  "ok",
  "canceled",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "unavailable",
];

/** Whoever reads it knows what was wrong. Not among the codes: unknown, internal, data_loss. */
export function assertFitting({ code, message }: Told, what: string): void {
  assert.ok(codes.includes(code), `${what} was answered with ${code}: ${message}`);
  if (code === "ok") return;
  assert.match(message, /^\S.{10,}/s, `${what}: ${code}`);
  assert.ok(message.length < 5_000, `${what} is told ${message.length} characters`);
}

/** Numbers from a seed (Numerical Recipes' generator), so that what was found can be found again. */
export function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
