// Versions of deployed tasks: what they were stays, what is newest is found, and mistakes are told.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskSpec } from "../core/task.ts";
import { openedControl, sampleSpec, saying, scope } from "./records.fixture.ts";

const production = { ...scope, domain: "production", caller: "bob" };

test("a version is deployed once; the same again changes nothing and says so", async (t) => {
  const { control } = await openedControl(t);
  const spec = sampleSpec();
  const first = await control.tasks.deploy(scope, { version: "v1", spec, isEntrypoint: true });
  assert.equal(first.created, true);
  assert.partialDeepStrictEqual(first.task, { name: spec.name, version: "v1", deployedBy: "ada", isEntrypoint: true });
  const again = await control.tasks.deploy(scope, { version: "v1", spec });
  assert.deepEqual(again, { task: first.task, created: false });
  assert.deepEqual(await control.tasks.get(scope, spec.name, "v1"), { ...first.task, spec });
});

test("other content under a version that is taken is refused with what differs", async (t) => {
  const { control } = await openedControl(t);
  await control.tasks.deploy(scope, { version: "v1", spec: sampleSpec() });
  const input = {
    name: "n",
    type: { type: "simple", simple: "integer" },
    required: true,
    description: null,
    defaultText: null,
  } as const;
  const other: TaskSpec = sampleSpec({
    interface: { inputs: [input], outputs: [] },
    target: { type: "typescript", bundle: { digest: "c".repeat(64), projectDir: "/p" } },
  });
  await assert.rejects(
    control.tasks.deploy(scope, { version: "v1", spec: other }),
    saying(
      "already_exists",
      "by ada",
      "input n: nothing → integer",
      `code bundle: ${"b".repeat(64)} → ${"c".repeat(64)}`,
      "another version",
    ),
  );
  assert.deepEqual((await control.tasks.get(scope, other.name, "v1")).spec, sampleSpec());
});

test("the newest version is the one that was deployed last, and old ones stay as they were", async (t) => {
  const { control } = await openedControl(t);
  const specs = ["one", "two", "three"].map((description) => sampleSpec({ description }));
  for (const [at, spec] of specs.entries()) await control.tasks.deploy(scope, { version: `v${9 - at}`, spec });
  const name = "numbers.double";
  assert.equal((await control.tasks.get(scope, name, null)).version, "v7");
  assert.deepEqual((await control.tasks.get(scope, name, "v9")).spec, specs[0]);
  const { items, token } = await control.tasks.versions(scope, name, { limit: 2, token: null });
  assert.deepEqual(
    items.map(({ version }) => version),
    ["v7", "v8"],
  );
  const rest = await control.tasks.versions(scope, name, { limit: 2, token });
  assert.deepEqual([rest.items.map(({ version }) => version), rest.token], [["v9"], null]);
});

test("tasks are listed once each, with their newest version, by every filter and order", async (t) => {
  const { control } = await openedControl(t);
  const deploy = (name: string, version: string, isEntrypoint = false, caller = "ada") =>
    control.tasks.deploy({ ...scope, caller }, { version, spec: sampleSpec({ name }), isEntrypoint });
  await deploy("a.main", "v1");
  await deploy("b.main", "v1", true);
  await deploy("c.other", "v1", true, "bob");
  await deploy("a.main", "v2");
  await control.tasks.deploy(production, { version: "v1", spec: sampleSpec({ name: "p.main" }) });
  const list = async (listing: object = {}) => {
    const { items } = await control.tasks.list(scope, { order: "newest", limit: 9, token: null, ...listing });
    return items.map(({ name, version }) => `${name} ${version}`);
  };
  assert.deepEqual(await list(), ["a.main v2", "c.other v1", "b.main v1"]);
  assert.deepEqual(await list({ order: "name" }), ["a.main v2", "b.main v1", "c.other v1"]);
  assert.deepEqual(await list({ order: "oldest" }), ["b.main v1", "c.other v1", "a.main v2"]);
  assert.deepEqual(await list({ name: "b.main" }), ["b.main v1"]);
  assert.deepEqual(await list({ nameContains: "MAIN" }), ["a.main v2", "b.main v1"]);
  assert.deepEqual(await list({ isEntrypoint: true }), ["c.other v1", "b.main v1"]);
  assert.deepEqual(await list({ deployedBy: "bob" }), ["c.other v1"]);
});

test("a version is promoted to another domain as it is, once, and refused over other content", async (t) => {
  const { control } = await openedControl(t);
  const spec = sampleSpec({ description: "as built" });
  await control.tasks.deploy(scope, { version: "v1", spec, isEntrypoint: true });
  const wanted = { name: spec.name, version: "v1", from: "development" };
  const { task, created } = await control.tasks.promote(production, wanted);
  assert.equal(created, true);
  assert.partialDeepStrictEqual(task, {
    domain: "production",
    deployedBy: "bob",
    promotedFrom: "development",
    isEntrypoint: true,
  });
  assert.deepEqual((await control.tasks.get(production, spec.name, null)).spec, spec);
  assert.deepEqual(await control.tasks.promote(production, wanted), { task, created: false });
  await control.tasks.deploy({ ...scope, domain: "staging" }, { version: "v1", spec: sampleSpec() });
  await assert.rejects(
    control.tasks.promote({ ...scope, domain: "staging" }, wanted),
    saying("already_exists", "description: nothing → as built"),
  );
  await assert.rejects(
    control.tasks.promote(production, { ...wanted, from: "nowhere" }),
    saying("not_found", "domain"),
  );
  await assert.rejects(control.tasks.promote(production, { ...wanted, version: "v2" }), saying("not_found", '"v2"'));
});

test("deployments at one time are all kept, and one of them is the newest", async (t) => {
  const { control } = await openedControl(t);
  const versions = Array.from({ length: 12 }, (_, at) => `v${at}`);
  const all = await Promise.all(
    versions.flatMap((version) =>
      // Each twice: a client repeats a request that it has no answer to.
      [0, 1].map(() => control.tasks.deploy(scope, { version, spec: sampleSpec() })),
    ),
  );
  assert.equal(all.filter(({ created }) => created).length, versions.length);
  const { items } = await control.tasks.versions(scope, "numbers.double", { limit: 99, token: null });
  assert.deepEqual(items.map(({ version }) => version).sort(), [...versions].sort());
  assert.equal((await control.tasks.get(scope, "numbers.double", null)).version, items[0]?.version);
});

test("a task or version that is not there is named, with what was perhaps meant", async (t) => {
  const { control } = await openedControl(t);
  await control.tasks.deploy(scope, { version: "v1", spec: sampleSpec() });
  await assert.rejects(
    control.tasks.get(scope, "numbers.doubel", null),
    saying("not_found", "numbers.doubel", '"numbers.double"?', "default/development"),
  );
  await assert.rejects(control.tasks.get(scope, "numbers.double", "v2"), saying("not_found", '"v2"', '"v1"?'));
  await assert.rejects(
    control.tasks.get(production, "numbers.double", "v1"),
    saying("not_found", "default/production"),
  );
});

test("a deployment into a project that is not there, or under an impossible version, is refused", async (t) => {
  const { control } = await openedControl(t);
  const spec = sampleSpec();
  await assert.rejects(
    control.tasks.deploy({ ...scope, project: "defualt" }, { version: "v1", spec }),
    saying("not_found", '"default"?'),
  );
  for (const version of ["", "a b", "a\nb", "x".repeat(256)])
    assert.throws(
      () => control.tasks.deploy(scope, { version, spec }),
      saying("invalid_argument", "version of a task"),
    );
});
