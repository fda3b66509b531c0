// The rules by which code is followed, on graphs written by hand; from real files: worker/code-identity.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { identify, type Module, type ModuleGraph, type Statement } from "./code-graph.ts";

const statement = (
  line: number,
  declares: string,
  mentions: readonly string[] = [],
  more: Partial<Statement> = {},
): Statement => ({
  range: [
    [line, 1],
    [line, 80],
  ],
  hash: `${declares} ${line}`,
  type: "declares",
  declares: [declares],
  mentions,
  loads: [],
  functions: [],
  unknown: null,
  ...more,
});

const esm = (statements: readonly Statement[], more: Partial<Module> = {}): Module => ({
  type: "esm",
  hash: "",
  statements,
  imports: {},
  exports: Object.fromEntries(statements.flatMap(({ declares }) => declares.map((name) => [name, name]))),
  stars: [],
  effects: [],
  ...more,
});

const graph = (modules: ModuleGraph["modules"]): ModuleGraph => ({
  modules,
  packages: { left: "1.0.0" },
  importers: {},
  projectDir: "/home/me/project",
  node: "24",
});

const at = (line: number, file = "/home/me/project/a.ts") => ({ file, line, column: 5 });

const reached = (modules: ModuleGraph["modules"], line = 1): readonly string[] => {
  const code = identify(graph(modules), [at(line)]);
  return code.type === "known" ? Object.keys(code.modules) : [code.reason];
};

test("places are told by absolute path or from the project, and beside the project too", () => {
  const modules = { "a.ts": esm([statement(1, "a")]), "../shared/b.ts": esm([statement(1, "b")]) };
  for (const file of ["/home/me/project/a.ts", "a.ts", "/home/me/shared/b.ts"]) {
    assert.equal(identify(graph(modules), [at(1, file)]).type, "known");
  }
});

test("what is defined nowhere in the graph, or where the graph has no statement, is unknown", () => {
  const modules = { "a.ts": esm([statement(1, "a")]) };
  assert.deepEqual(identify(graph(modules), []), {
    type: "unknown",
    reason: "it is not known where the task is defined",
  });
  assert.deepEqual(reached(modules, 9), ["a.ts:9 is not a statement of the code bundle"]);
});

test("a package whose version is not known makes the identity unknown", () => {
  const imports = { p: { from: { type: "package", name: "right", specifier: "right" }, imported: "p" } } as const;
  assert.deepEqual(reached({ "a.ts": esm([statement(1, "a", ["p"])], { imports }) }), [
    "the installed version of package right is not known",
  ]);
});

test("names that objects have of themselves are names like any other", () => {
  const from = { type: "module", path: "b.ts" } as const;
  const a = esm([statement(1, "a", ["constructor", "toString"])], {
    imports: { constructor: { from, imported: "valueOf" } },
  });
  const b = esm([statement(1, "valueOf")]);
  assert.deepEqual(reached({ "a.ts": a, "b.ts": b }), ["a.ts", "b.ts"]);
});

test("modules that re-export each other for ever end", () => {
  const star = (path: string): Partial<Module> => ({ stars: [{ type: "module", path }] });
  const imports = { x: { from: { type: "module", path: "b.ts" }, imported: "x" } } as const;
  const modules = {
    "a.ts": esm([statement(1, "a", ["x"])], { imports }),
    "b.ts": esm([], star("c.ts")),
    "c.ts": esm([], star("b.ts")),
  };
  assert.deepEqual(reached(modules), ["a.ts"]);
});

test("another task that mentions this one is no part of it, what computes with it is", () => {
  const modules = {
    "a.ts": esm([
      statement(1, "a", [], { type: "computes" }),
      statement(2, "other", ["a"], { type: "computes" }),
      statement(3, "changed", ["a"], { type: "computes" }),
    ]),
  };
  const both = [[at(1)], [at(2)]];
  const of = (sites: typeof both, modified = modules) => JSON.stringify(identify(graph(modified), [at(1)], sites));
  const edited = (line: number) => ({
    "a.ts": esm(
      modules["a.ts"].statements.map((each) => (each.range[0][0] === line ? { ...each, hash: "edited" } : each)),
    ),
  });
  assert.equal(of(both), of(both, edited(2)));
  assert.notEqual(of(both), of(both, edited(3)));
  assert.notEqual(of([[at(1)]]), of([[at(1)]], edited(2)));
});

test("a definition counts without its triggers only if the task is defined by the call that has them", () => {
  const hashed = (hash: string, column: number) => {
    const untriggered = { hash: "without", argumentsAt: [1, column] } as const;
    return identify(graph({ "a.ts": esm([statement(1, "a", [], { hash, untriggered })]) }), [at(1)]);
  };
  assert.deepEqual(hashed("one", 20), hashed("other", 20));
  // The definition is inside of the arguments, and the call around it is somebody else's.
  assert.notDeepEqual(hashed("one", 3), hashed("other", 3));
});
