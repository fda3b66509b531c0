// What runs leave for people: reports, files, tables; where they are written, and that they can be used.
import assert from "node:assert/strict";
import { chmodSync, existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeProject, type Project } from "./project.ts";

let project: Project;
before(() => {
  project = makeProject();
  project.copy("cli.ts");
});
after(() => project.remove());

const said = async (...args: string[]): Promise<string> => {
  const { code, stdout, stderr } = await project.run(args);
  assert.equal(code, 0, stderr);
  return stdout;
};

test("a report is named at the end of a run and written where it is wanted", async () => {
  const out = await said("run", "cli.ts", "page", "--title", "Hello", "--name", "one");
  assert.match(out, /report of page: godwit get report one$/m);
  const path = (await said("get", "report", "one")).trim();
  assert.equal(path, join(project.dir, "one-page.html"));
  assert.match(readFileSync(path, "utf8"), /<h1>Hello<\/h1>/);
  await said("get", "report", "one", "--to", "web/");
  assert.ok(existsSync(join(project.dir, "web", "one-page.html")));
  const written = JSON.parse(await said("get", "report", "one", "page", "--to", "index.html", "--json"));
  assert.deepEqual(written, { run: "one", action: "a0", written: join(project.dir, "index.html") });
});

test("a run without a report of its own tells which actions have one, in few lines", async () => {
  const out = await said("run", "cli.ts", "pages", "--count", "6", "--name", "several");
  assert.equal(out.match(/report of page: godwit get report several \w{10}$/gm)?.length, 3);
  assert.match(out, /and 3 more/);
  const { code, stderr } = await project.run(["get", "report", "several"]);
  assert.equal(code, 2);
  assert.match(stderr, /pages of several has no report\. These have:\n {2}godwit get report several \w{10}/);
  const command = /godwit (get report several \w{10})/.exec(stderr)?.[1] ?? "";
  assert.match(await said(...command.split(" ")), /several-page-\w{10}\.html/);
  assert.doesNotMatch(await said("run", "cli.ts", "talk"), /report/);
});

test("outputs that were written to a path can be changed, and written again", async () => {
  writeFileSync(join(project.dir, "in.txt"), "text");
  await said("run", "cli.ts", "copy", "--text", "in.txt", "--name", "copied");
  const path = join(project.dir, "out.txt");
  for (let time = 0; time < 2; time++) {
    await said("get", "output", "copied", "out", "--to", "out.txt");
    assert.equal(statSync(path).mode & 0o777, 0o644);
    assert.equal(readFileSync(path, "utf8"), "text");
    chmodSync(path, 0o444);
  }
  symlinkSync("linked.txt", join(project.dir, "link.txt"));
  await said("get", "output", "copied", "out", "--to", "link.txt");
  assert.equal(readFileSync(join(project.dir, "linked.txt"), "utf8"), "text");
  await said("get", "output", "copied", "letters", "--to", "fresh/");
  assert.equal(readFileSync(join(project.dir, "fresh", "letters.json"), "utf8"), "4\n");
});
