// Inputs that cannot be right are told before a run is made, by their names, with what was expected and found.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeProject, type Project, until } from "./project.ts";

let project: Project;
before(() => {
  project = makeProject();
  project.copy("cli.ts");
  project.write("in.txt", "text");
  project.write("good.csv", "name,mass\nann,3\nbob,4.5\n");
  mkdirSync(join(project.dir, "folder"));
});
after(() => project.remove());

async function refused(...args: string[]): Promise<string> {
  const { code, stderr } = await project.run(["run", "cli.ts", ...args]);
  assert.equal(code, 2, stderr);
  assert.doesNotMatch(stderr, /^\s+at /m);
  return stderr;
}

test("files that are not there, or are something else", async () => {
  assert.match(
    await refused("copy", "--text", "missing.txt"),
    /--text: expected the path of a file, found nothing at .*missing\.txt/,
  );
  assert.match(await refused("copy", "--text", "folder"), /--text: expected a file, found a directory/);
  assert.match(await refused("copy", "--inputs", "@nope.json"), /--inputs: there is no file .*nope\.json/);
  assert.match(await refused("copy", "--inputs", "@folder"), /--inputs: .*folder is a directory/);
});

test("a table without the declared columns, or with other values in them", async () => {
  project.write("names.csv", "name,mas\nann,3\n");
  project.write("words.csv", "name,mass\nann,3\nbob,heavy\n");
  project.write("rows.json", '[{"name": "ann", "mass": "3"}]');
  assert.match(
    await refused("weigh", "--people", "names.csv"),
    /--people: .*names\.csv: the column "mass" \(number\) is missing\. Did you mean "mas"\? It has: name, mas\./,
  );
  assert.match(
    await refused("weigh", "--people", "words.csv"),
    /column "mass": expected number, found "heavy" in row 2/,
  );
  assert.match(await refused("weigh", "--people", "rows.json"), /column "mass": expected number, found "3" in row 1/);
  assert.match(await refused("weigh", "--people", "in.txt"), /\.txt.*not with \.parquet/);
});

test("a mistyped task, input or choice comes with what was meant", async () => {
  assert.match(await refused("copi", "--text", "in.txt"), /There is no task "copi".*Did you mean "copy"/);
  assert.match(await refused("copy", "--txt", "in.txt"), /unknown option --txt\. Did you mean "--text"/);
  assert.match(
    await refused("copy", "--text", "in.txt", "--mode", "fats"),
    /--mode: expected one of .*Did you mean "fast"/,
  );
  assert.match(await refused("copy", "--inputs", '{"txt": "in.txt"}'), /has no input "txt"\. Did you mean "text"/);
});

test("a mistyped run, action, condition, answer, attempt or phase comes with what was meant", async () => {
  const { code } = await project.run(["run", "cli.ts", "talk", "--name", "talked"]);
  assert.equal(code, 0);
  const ask = project.start(["run", "cli.ts", "ask", "--name", "asking"]);
  const isWaiting = async (): Promise<boolean> => {
    const { stdout } = await project.run(["get", "actions", "asking", "--phase", "paused"]);
    return stdout.includes("approve");
  };
  await until(isWaiting, "the condition waits");
  const mistakes: [string, RegExp][] = [
    ["get run talkd", /no run "talkd".*Did you mean "talked"/],
    ["get action talked tolk", /no action "tolk"\. Did you mean "talk"/],
    ["logs talked talk --attempt 2", /no attempt 2: it had 1 attempt/],
    ["get runs --task talc", /No run of a task "talc"\. Did you mean "talk"/],
    ["get runs --phase faild", /Did you mean "failed"/],
    ["signal asking aprove true", /Did you mean "approve"/],
    ["signal asking approve yes", /takes true or false, not "yes"/],
    ["get rnus", /Did you mean runs/],
  ];
  for (const [words, expected] of mistakes) {
    const said = await project.run(words.split(" "));
    assert.equal(said.code, 2, words);
    assert.match(said.stderr, expected);
  }
  assert.match((await project.run(["get", "runs", "--task", "talk"])).stdout, /talked +cli\.talk/);
  await project.run(["signal", "asking", "approve", "true"]);
  assert.match((await ask.ended).stdout, /^true$/m);
});

test("inputs come from standard input, and a good table is taken", async () => {
  const piped = project.start(["run", "cli.ts", "copy", "--inputs", "-", "--json"], {}, '{"text": "in.txt"}');
  const { code, stdout, stderr } = await piped.ended;
  assert.equal(code, 0, stderr);
  assert.equal(JSON.parse(stdout).outputs.letters, 4);
  const weighed = await project.run(["run", "cli.ts", "weigh", "--people", "good.csv", "--quiet"]);
  assert.equal(weighed.stdout, "2\n", weighed.stderr);
});
