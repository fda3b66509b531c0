// Settings: levels from the broadest to the nearest, and changes that nobody loses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openedControl, saying } from "./records.fixture.ts";

const all = { domain: "", project: "" };
const domain = { domain: "production", project: "" };
const project = { domain: "production", project: "flytesnacks" };

test("levels come broadest first, with version 0 where nothing was set", async (t) => {
  const { settings } = (await openedControl(t)).control;
  await settings.create(domain, "AAE=");
  assert.deepEqual(await settings.levels(project), [
    { ...all, value: null, version: 0 },
    { ...domain, value: "AAE=", version: 1 },
    { ...project, value: null, version: 0 },
  ]);
  assert.deepEqual(await settings.levels(all), [{ ...all, value: null, version: 0 }]);
});

test("a change on an old version is refused, and the versions count the changes", async (t) => {
  const { settings } = (await openedControl(t)).control;
  assert.deepEqual(await settings.update(project, "one", 0), { ...project, value: "one", version: 1 });
  assert.equal((await settings.update(project, "two", 1)).version, 2);
  for (const version of [0, 1, 3])
    await assert.rejects(
      settings.update(project, "x", version),
      saying("failed_precondition", "flytesnacks/production"),
    );
  await assert.rejects(settings.update(all, "x", 1), saying("failed_precondition", "all domains"));
  await assert.rejects(settings.create(project, "x"), saying("already_exists"));
  assert.equal((await settings.levels(project)).at(-1)?.value, "two");
});

test("of changes on one version that come at one time, one is made", async (t) => {
  const { settings } = (await openedControl(t)).control;
  const results = await Promise.allSettled(["a", "b", "c"].map((value) => settings.update(domain, value, 0)));
  assert.deepEqual(results.map(({ status }) => status).sort(), ["fulfilled", "rejected", "rejected"]);
});

test("settings of what is not there, or of a project without a domain, are refused", async (t) => {
  const { settings } = (await openedControl(t)).control;
  await assert.rejects(settings.levels({ domain: "", project: "flytesnacks" }), saying("invalid_argument", "name it"));
  await assert.rejects(settings.levels({ domain: "nowhere", project: "" }), saying("not_found"));
  await assert.rejects(settings.create({ domain: "staging", project: "nothing" }, "x"), saying("not_found"));
  await assert.rejects(settings.create(all, "x".repeat(256 * 1024 + 1)), saying("invalid_argument", "too large"));
});
