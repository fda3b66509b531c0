// Logs on real files: followed across processes, bounded, and honest about what is missing.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { isGodwitError } from "../core/error.ts";
import type { AttemptRef, LogLine } from "../core/messages.ts";
import { until } from "../testing/until.ts";
import { type Logs, logLimits, openLogs } from "./logs.ts";

const dir = mkdtempSync(join(tmpdir(), "godwit-logs-"));
after(() => rmSync(dir, { recursive: true, force: true }));
let count = 0;
const freshDir = (): string => join(dir, String(count++));

const attempt: AttemptRef = { run: 7, action: "a0", attempt: 1 };
const line = (text: string, atMs = 5): LogLine => ({ atMs, stream: "stdout", text });
const fileOf = (root: string): string => join(root, "7", "a0", "1.jsonl");
const once = { follow: false, signal: new AbortController().signal, isEnded: () => true };
const texts = async (logs: Logs, ref = attempt): Promise<string[]> =>
  (await Array.fromAsync(logs.read(ref, once))).map(({ text }) => text);

test("lines are read back as they were appended, by this process at once and by another one", async () => {
  const root = freshDir();
  const logs = openLogs(root);
  const lines = Array.from(
    { length: 500 },
    (_, n) => ({ atMs: n, stream: n % 2 ? "stdout" : "stderr", text: `line ${n} ü "\n\ud83d\ude00` }) as const,
  );
  for (const one of lines) logs.append(attempt, [one]);
  assert.deepEqual(await Array.fromAsync(logs.read(attempt, once)), lines);
  assert.deepEqual(await Array.fromAsync(openLogs(root).read(attempt, once)), lines);
  assert.deepEqual(await texts(logs, { ...attempt, attempt: 2 }), []);
});

test("attempts that have printed are listed in order", async () => {
  const logs = openLogs(freshDir());
  for (const number of [10, 2, 1]) logs.append({ ...attempt, attempt: number }, [line("x")]);
  await logs.close();
  assert.deepEqual(await logs.attempts(7, "a0"), [1, 2, 10]);
  assert.deepEqual(await logs.attempts(7, "a1"), []);
});

test("a follower gets lines while another process writes them, from the start, and ends with the attempt", async () => {
  const root = freshDir();
  const script = `
    import { openLogs } from ${JSON.stringify(join(import.meta.dirname, "logs.ts"))};
    const logs = openLogs(${JSON.stringify(root)});
    process.stdin.on("data", (text) => logs.append(${JSON.stringify(attempt)}, [{ atMs: 1, stream: "stdout", text: String(text) }]));`;
  const writer = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  let hasEnded = false;
  writer.once("exit", () => (hasEnded = true));
  const seen: string[] = [];
  writer.stdin.write("0");
  for await (const { text } of openLogs(root).read(attempt, { ...once, follow: true, isEnded: () => hasEnded })) {
    seen.push(text);
    if (seen.length < 5) writer.stdin.write(String(seen.length));
    else writer.stdin.end();
  }
  assert.deepEqual(seen, ["0", "1", "2", "3", "4"]);
});

test("a line that another process writes just after the attempt's end is not missed", async () => {
  const root = freshDir();
  const other = openLogs(root);
  other.append(attempt, [line("early")]);
  let asked = 0;
  const isEnded = () => {
    if (asked++ === 0) setTimeout(() => other.append(attempt, [line("late")]), 20);
    return true;
  };
  const found = await Array.fromAsync(openLogs(root).read(attempt, { ...once, follow: true, isEnded }));
  assert.deepEqual(
    found.map(({ text }) => text),
    ["early", "late"],
  );
});

test("an aborted follower ends without an error", async () => {
  const logs = openLogs(freshDir());
  const stop = new AbortController();
  const seen: string[] = [];
  logs.append(attempt, [line("one"), line("two")]);
  for await (const { text } of logs.read(attempt, { follow: true, signal: stop.signal, isEnded: () => false })) {
    seen.push(text);
    if (text === "two") stop.abort();
  }
  assert.deepEqual(seen, ["one", "two"]);
});

test("a line torn by a crash is skipped, and the next one is whole", async () => {
  const root = freshDir();
  mkdirSync(dirname(fileOf(root)), { recursive: true });
  writeFileSync(fileOf(root), `${JSON.stringify(line("whole"))}\n{"atMs":1,"stre`);
  assert.deepEqual(await texts(openLogs(root)), ["whole"]);
  const logs = openLogs(root);
  logs.append(attempt, [line("after")]);
  assert.deepEqual(await texts(logs), ["whole", "after"]);
});

test("a line over the limit becomes several, marked, and no character is cut in two", async () => {
  const logs = openLogs(freshDir());
  const long = "\ud83d\ude00".repeat(logLimits.lineChars);
  logs.append(attempt, [line(`x${long}`), line("y".repeat(logLimits.lineChars))]);
  const parts = await texts(logs);
  assert.equal(parts.length, 4);
  assert.ok(parts.slice(0, 2).every((part) => part.endsWith(" […]") && part.isWellFormed()));
  assert.equal(parts.slice(0, 3).join("").replaceAll(" […]", ""), `x${long}`);
});

test("an attempt that prints too much is cut off once, with a line that says so, also after a restart", async () => {
  const root = freshDir();
  const limits = { ...logLimits, attemptBytes: 1000 };
  for (let round = 0; round < 3; round++) {
    const logs = openLogs(root, limits);
    for (let n = 0; n < 100; n++) logs.append(attempt, [line("x".repeat(20))]);
    await logs.close();
  }
  const found = await texts(openLogs(root));
  assert.match(found.at(-1) ?? "", /1000 bytes.*left out/);
  assert.equal(found.filter((text) => text.includes("godwit")).length, 1);
  assert.ok(statSync(fileOf(root)).size < 1300);
});

test("what does not fit into the queue is counted and told of in its place", async () => {
  const logs = openLogs(freshDir(), { ...logLimits, queueChars: 300 });
  logs.append(
    attempt,
    Array.from({ length: 10 }, (_, n) => line(String(n).repeat(30))),
  );
  const found = await texts(logs);
  assert.deepEqual(found.slice(0, 3), ["0".repeat(30), "1".repeat(30), "2".repeat(30)]);
  assert.match(found[3] ?? "", /7 lines are missing here.*faster than the disk/);
  assert.equal(found.length, 4);
  logs.append(attempt, [line("later")]);
  assert.equal((await texts(logs)).at(-1), "later");
});

test("a disk that refuses loses lines, not the engine; the loss is a problem until it is told of in the log", async () => {
  const root = freshDir();
  writeFileSync(root, "a file where the directory should be");
  const logs = openLogs(root);
  logs.append(attempt, [line("one"), line("two")]);
  await until("the problem is known", () => logs.problems().length > 0);
  logs.append(attempt, [line("three")]);
  await until("the problem has grown", () => logs.problems()[0]?.lostLines === 3);
  assert.match(logs.problems()[0]?.message ?? "", /could not be written \(.*(EEXIST|ENOTDIR)/);
  rmSync(root);
  logs.append(attempt, [line("four")]);
  const found = await texts(logs);
  assert.match(found[0] ?? "", /3 lines are missing here/);
  assert.deepEqual(found.slice(1), ["four"]);
  assert.deepEqual(logs.problems(), []);
});

test("many attempts at once need few open files, and nothing is lost", async () => {
  const root = freshDir();
  const logs = openLogs(root);
  const refs = Array.from({ length: 300 }, (_, n) => ({ ...attempt, action: `a${n}` }));
  for (let round = 0; round < 3; round++) for (const ref of refs) logs.append(ref, [line(`${ref.action}/${round}`)]);
  await logs.close();
  for (const ref of refs)
    assert.deepEqual(
      await texts(logs, ref),
      [0, 1, 2].map((round) => `${ref.action}/${round}`),
    );
});

test("a name that is no name of an attempt is refused", () => {
  const logs = openLogs(freshDir());
  for (const action of ["..", "../x", "a/b", "", ".hidden", "a\0"]) {
    assert.throws(
      () => logs.append({ ...attempt, action }, [line("x")]),
      (error) => isGodwitError(error) && error.code === "invalid_argument",
    );
  }
});
