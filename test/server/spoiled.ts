// Messages with one or two things in them that nobody expects there.
import type { Message } from "@bufbuild/protobuf";

export const oddTexts: readonly string[] = [
  "",
  "x".repeat(10_000),
  "..",
  "../../etc/passwd",
  "a/b",
  "/etc/passwd",
  "file:///etc/passwd",
  "s3://bucket/key",
  "a\0b",
  "héllo 🦢",
  "\u202e",
  "%2e%2e%2f",
  "'; drop table run; --",
  "__proto__",
  "constructor",
  "0",
  "-1",
  "1e999",
  "2026-01-01T00:00:00Z",
  // Page tokens: of nothing, and of other listings than the one that they are given to.
  ...[
    null,
    [],
    {},
    7,
    [1, 2],
    ["a"],
    { createdAtMs: "x" },
    { createdAtMs: 1, id: 1 },
    { createdAtMs: 1, name: "x" },
  ].map((position) => Buffer.from(JSON.stringify(position)).toString("base64url")),
];

const oddNumbers = [0, 1, -1, 2, 3, 7, 10, 100, 2_147_483_647, -2_147_483_648];
const oddBigs = [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, 253_402_300_800n, -62_135_596_801n];
const oddBytes = [[], [0xc1], [0xdf, 0xff, 0xff, 0xff, 0xff], [0x91, 0x91, 0x91], [0xff, 0xfe], Array(17).fill(0)].map(
  (bytes) => Uint8Array.from(bytes),
);

type Parent = { [key: string]: unknown };

/** A copy; `number` gives from 0 to below 1. */
export function spoiled<T extends Message>(message: T, number: () => number): T {
  const copy = structuredClone(message);
  const pick = <E>(of: readonly E[]): E => of[Math.floor(number() * of.length)] as E;
  for (let left = 1 + Math.floor(number() * 2); left > 0; left--) {
    const places = placesIn(copy as unknown as Parent);
    if (places.length === 0) return copy;
    const [parent, key] = pick(places);
    const value = parent[key];
    if (typeof value === "string") parent[key] = pick(oddTexts);
    else if (typeof value === "number") parent[key] = pick(oddNumbers);
    else if (typeof value === "bigint") parent[key] = pick(oddBigs);
    else if (typeof value === "boolean") parent[key] = !value;
    else if (value instanceof Uint8Array) parent[key] = pick(oddBytes);
    else if (Array.isArray(value)) parent[key] = number() < 0.4 ? [] : [...value, ...value];
    else if (Array.isArray(parent)) parent.splice(Number(key), 1);
    else if ("case" in (value as object)) parent[key] = { case: undefined };
    else if ("$typeName" in (value as object)) parent[key] = undefined;
    else delete parent[key];
  }
  return copy;
}

/** Every place that has something, however deep. */
function placesIn(parent: Parent): readonly (readonly [Parent, string])[] {
  return Object.entries(parent)
    .filter(([key, value]) => !key.startsWith("$") && key !== "case" && value !== undefined && value !== null)
    .flatMap(([key, value]) =>
      typeof value === "object" && !(value instanceof Uint8Array)
        ? [[parent, key] as const, ...placesIn(value as Parent)]
        : [[parent, key] as const],
    );
}
