// Call sites of code that runs as it is, without a bundle; bundled code is tested in worker/code.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { installed, project, write } from "../../test/fixtures/bundle/project.ts";
import { locate, userCallSites } from "./call-sites.ts";

const here = fileURLToPath(import.meta.url);

test("call sites of code that runs without a bundle are its own files, innermost first, without Node's", () => {
  const inner = () => userCallSites();
  const sites = [0].flatMap(() => inner());
  assert.deepEqual(
    sites.map(({ file, line }) => ({ file, line })),
    [
      { file: here, line: 11 },
      { file: here, line: 12 },
      { file: here, line: 12 },
    ],
  );
});

test("frames of packages are not the user's", async () => {
  const directory = project(installed("caller", "1.0.0", "export const value = (call) => call();"));
  write(directory, {
    "use.ts": 'import { value } from "caller";\nexport const use = (f: () => unknown) => value(f);\n',
  });
  const { use } = await import(`${directory}/use.ts`);
  const sites = use(() => userCallSites()) as ReturnType<typeof userCallSites>;
  assert.deepEqual(
    sites.map(({ file, line }) => `${file === here ? "here" : file.slice(directory.length)}:${line}`),
    ["here:29", "/use.ts:2", "here:29"],
  );
});

test("an error is located at the first frame of the user's, and other values nowhere", () => {
  const quoting = new Error("it\n    at quoted (/no/such.ts:1:1)");
  assert.deepEqual({ ...locate(quoting), column: 0 }, { file: here, line: 37, column: 0 });
  assert.equal(locate("text"), null);
  assert.equal(locate(Object.assign(new Error("it"), { stack: undefined })), null);
});
