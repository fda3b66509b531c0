// Who is compared, with which lines.
import { join } from "node:path";
import type { Contestant, Line } from "./comparison.ts";
import { makeProject, openGodwitSystem, type Package } from "./godwit.ts";
import type { Options } from "./options.ts";
import { startProgram } from "./system.ts";

const line = (kind: Line["kind"], units: string, shape: Line["shape"] = "chains"): Line => ({
  kind,
  shape,
  units,
  isReference: false,
});

export function contestantsOf(dir: string, godwit: () => Package, options: Options): readonly Contestant[] {
  // A system that was late is started anew, in a directory of its own.
  let started = 0;
  const fresh = (name: string): string => join(dir, `${name}-${++started}`);
  const all: readonly Contestant[] = [
    {
      name: "bare",
      lines: [line("task", "rows")],
      isLong: false,
      start: () => startProgram("bare.ts", fresh("bare")),
    },
    {
      name: "godwit",
      lines: [
        { ...line("task", "tasks", "window"), isReference: true },
        line("task", "tasks"),
        { ...line("step", "traces"), isReference: true },
      ],
      isLong: true,
      start: async () => openGodwitSystem(makeProject(fresh("godwit"), godwit())),
    },
    {
      name: "dbos",
      lines: [line("task", "child workflows"), line("step", "steps")],
      isLong: false,
      start: () => startProgram("peers/dbos.ts", fresh("dbos")),
    },
    {
      name: "restate",
      lines: [line("task", "service calls"), line("step", "ctx.run")],
      isLong: false,
      start: () => startProgram("peers/restate.ts", fresh("restate")),
    },
  ];
  return all.filter(({ name }) => options.systems.includes(name));
}
