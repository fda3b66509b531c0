// What starts a task is no part of its cache key: triggers in the text of a definition, bundled and followed for real.
import assert from "node:assert/strict";
import { test } from "node:test";
import { changedBy, type Files } from "../../test/fixtures/bundle/project.ts";

const header = 'import { environment } from "godwit";\nconst env = environment();\n';
const fit: Files = { "steps/fit.ts": "export function fit(x: unknown): string { return String(x); }\n" };

test("triggers of a task, and another schedule, change nothing; the same words elsewhere do", async () => {
  const trigger = (cron: string): Files => ({
    "pipeline.ts": `${header}import { fit } from "./steps/fit.ts";
const kept = { task: (options: { triggers: string[] }) => options };
export const settings = kept.task({ triggers: ["0 1 * * *"] });
export const first = env.task(
  { name: "first"${cron} },
  () => 1,
);
export const second = env.task({ name: "second" }, (x) => [fit(x), first()]);
export const third = env.task({ name: "third" }, () => settings.triggers);
`,
  });
  const before = { ...fit, ...trigger("") };
  assert.deepEqual(await changedBy(before, trigger(', triggers: [{ name: "n", cron: "0 3 * * *" }]')), []);
  const other = trigger(', triggers: [{ name: "n", cron: "0 4 * * *" }]')["pipeline.ts"] ?? "";
  const elsewhere = { "pipeline.ts": other.replace("0 1 * * *", "0 2 * * *") };
  assert.deepEqual(await changedBy(before, elsewhere), ["third"]);
});
