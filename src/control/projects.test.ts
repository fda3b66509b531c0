// Projects are there from the first, are created once, and tell who misspells them.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProjectListing } from "./projects.ts";
import { controlOver, openedControl, saying } from "./records.fixture.ts";

const byName: ProjectListing = { order: "name", limit: 100, token: null };

test("two projects are there from the first, in every domain, and are seeded once", async (t) => {
  const { control, store, nowMs } = await openedControl(t);
  const other = controlOver(store, nowMs);
  const lists = await Promise.all([control.projects.list(byName), other.projects.list(byName)]);
  for (const { items } of lists) {
    assert.deepEqual(
      items.map(({ id, state }) => [id, state]),
      [
        ["default", "active"],
        ["flytesnacks", "active"],
      ],
    );
  }
  for (const domain of ["development", "staging", "production"]) {
    await control.projects.check({ project: "flytesnacks", domain });
  }
});

test("a project is created once, changed in part, and archived", async (t) => {
  const { control } = await openedControl(t);
  const project = await control.projects.create({ id: "birds", labels: { team: "owls" } });
  assert.partialDeepStrictEqual(project, { id: "birds", name: "birds", description: "", state: "active" });
  await assert.rejects(control.projects.create({ id: "birds" }), saying("already_exists", '"birds"'));
  await control.projects.update("birds", { name: "Birds" });
  const archived = await control.projects.update("birds", { state: "archived" });
  assert.deepEqual(await control.projects.get("birds"), archived);
  assert.partialDeepStrictEqual(archived, { name: "Birds", labels: { team: "owls" }, state: "archived" });
  const { items } = await control.projects.list({ ...byName, state: "archived" });
  assert.deepEqual(
    items.map(({ id }) => id),
    ["birds"],
  );
});

test("changes that come at one time are all kept", async (t) => {
  const { control } = await openedControl(t);
  await Promise.all([
    control.projects.update("default", { name: "A" }),
    control.projects.update("default", { description: "B" }),
    control.projects.update("default", { labels: { c: "C" } }),
  ]);
  assert.partialDeepStrictEqual(await control.projects.get("default"), {
    name: "A",
    description: "B",
    labels: { c: "C" },
  });
});

test("a project or domain that is not there is named, with what was perhaps meant", async (t) => {
  const { control } = await openedControl(t);
  await assert.rejects(control.projects.get("flytesnack"), saying("not_found", '"flytesnack"', '"flytesnacks"?'));
  await assert.rejects(
    control.projects.check({ project: "default", domain: "developement" }),
    saying("not_found", '"developement"', '"development"?', "staging"),
  );
  await assert.rejects(control.projects.check({ project: "", domain: "staging" }), saying("not_found"));
  await control.projects.checkLevel({ project: "", domain: "" });
});

test("an id that is no label, or words without end, are refused", async (t) => {
  const { control } = await openedControl(t);
  for (const id of ["", "Birds", "a/b", "-a", "x".repeat(64)])
    await assert.rejects(control.projects.create({ id }), saying("invalid_argument", "project name"));
  await assert.rejects(
    control.projects.create({ id: "a", description: "x".repeat(1_001) }),
    saying("invalid_argument", "1000 characters"),
  );
});

test("projects are listed in every order, a page at a time; a made up token is refused", async (t) => {
  const { control } = await openedControl(t);
  for (const id of ["c", "a", "b"]) await control.projects.create({ id });
  const all = async (order: ProjectListing["order"]) => {
    const ids: string[] = [];
    for (let token: string | null = null, isFirst = true; isFirst || token !== null; isFirst = false) {
      const page: Awaited<ReturnType<typeof control.projects.list>> = await control.projects.list({
        order,
        limit: 2,
        token,
      });
      ids.push(...page.items.map(({ id }) => id));
      token = page.token;
    }
    return ids;
  };
  assert.deepEqual(await all("name"), ["a", "b", "c", "default", "flytesnacks"]);
  assert.deepEqual(await all("oldest"), ["default", "flytesnacks", "c", "a", "b"]);
  assert.deepEqual(await all("newest"), ["b", "a", "c", "flytesnacks", "default"]);
  for (const token of ["x", Buffer.from('{"a":1}').toString("base64url"), Buffer.from("[null]").toString("base64url")])
    await assert.rejects(control.projects.list({ ...byName, token }), saying("invalid_argument", "page token"));
});
