// What operators say of Python environments and images.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { defaultImageSettings, readImageSettings } from "./settings.ts";

const dir = mkdtempSync(join(tmpdir(), "godwit-image-settings-"));
after(() => rmSync(dir, { recursive: true, force: true }));

const file = join(dir, "godwit.config.json");
const read = (images: unknown, env = {}) => {
  writeFileSync(file, JSON.stringify({ images }));
  return readImageSettings({ file, isNamed: true, env });
};

test("without settings nothing is named, and nothing that images could misuse is allowed", () => {
  assert.deepEqual(readImageSettings({ file: join(dir, "none"), isNamed: false, env: {} }), defaultImageSettings);
  assert.equal(defaultImageSettings.allowCommands, false);
});

test("paths in the file are meant from where it is, and GODWIT_PYTHON goes over it", () => {
  const said = {
    python: "env",
    references: { "team/*": "other/env" },
    allowCommands: true,
    aptPackages: "ignore",
    maxBuilds: 4,
  };
  const found = { ...said, python: join(dir, "env"), references: { "team/*": join(dir, "other/env") } };
  assert.deepEqual(read(said), found);
  assert.equal(read(said, { GODWIT_PYTHON: "/opt/python" }).python, "/opt/python");
});

for (const [what, images, message] of [
  ["an unknown setting", { pyhton: "x" }, /images has no setting "pyhton".*python/],
  ["a path that is none", { python: 3 }, /images\.python has to be a path, not 3/],
  ["a mapping that is none", { references: { a: "" } }, /references: a has to be a path/],
  ["a word that is neither", { aptPackages: "maybe" }, /"check" or "ignore", not "maybe"/],
  ["permission by text", { allowCommands: "yes" }, /allowCommands has to be true or false, not "yes"/],
  ["no builds at all", { maxBuilds: 0 }, /maxBuilds/],
] as const)
  test(`${what} is refused, with its place`, () => {
    assert.throws(() => read(images), { code: "invalid_argument", message });
  });
