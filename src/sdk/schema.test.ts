// What the compiler knows of schemas. Checked by `npm run check`; running it only loads the makers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { bytes } from "./bytes.ts";
import { type Dir, dir } from "./dir.ts";
import { type File, file } from "./file.ts";
import type { InferInput, InferOutput } from "./schema.ts";
import { Table, table } from "./table.ts";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <_T extends true>(): void => undefined;

test("schemas have the types of their values", async () => {
  const schema = z.object({
    file: file({ format: "csv" }),
    dir: dir().optional(),
    bytes: bytes(),
    table: table({ species: z.string(), mass: z.number().nullable() }),
    rows: table<{ a: number }>(),
    any: table(),
    depth: z.int().default(3),
    text: z.string().transform((text) => text.length),
  });
  type Input = InferInput<typeof schema>;
  type Output = InferOutput<typeof schema>;
  holds<Same<Output["file"], File>>();
  holds<Same<Output["dir"], Dir | undefined>>();
  holds<Same<Output["bytes"], Uint8Array>>();
  holds<Same<Output["table"], Table<{ species: string; mass: number | null }>>>();
  holds<Same<Output["rows"], Table<{ a: number }>>>();
  holds<Same<Output["any"], Table<Record<string, unknown>>>>();
  holds<Same<Input["depth"], number | undefined>>();
  holds<Same<Output["depth"], number>>();
  holds<Same<Input["text"], string>>();
  holds<Same<Output["text"], number>>();
  holds<Same<z.infer<ReturnType<typeof file>>, File>>();

  const rows = await Table.fromColumns({ species: ["Adelie"], mass: Float64Array.of(1) }).rows();
  holds<Same<typeof rows, readonly { species: string; mass: number }[]>>();
  const wide: Input["table"] = Table.fromRows([{ species: "Adelie", mass: 3.5 }]);
  const any: Input["any"] = Table.fromRows([{ species: "Adelie" }]);
  // @ts-expect-error: mass has to be a number.
  const wrong: Input["table"] = Table.fromRows([{ species: "Adelie", mass: "heavy" }]);
  // @ts-expect-error: a file of the web is none of godwit's.
  const web: Input["file"] = new globalThis.File([], "x");
  assert.deepEqual(
    [wide, any, wrong].map((one) => one.rowCount),
    [1, 1, 1],
  );
  assert.equal(schema.shape.file.safeParse(web).success, false);
});
