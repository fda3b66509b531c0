// Triggers where a task is defined: what goes along to the server, and what is refused before it does.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { environment } from "./environment.ts";
import { file } from "./file.ts";
import type { TriggerOption } from "./triggers.ts";

const env = environment({ name: "triggered" });

const input = z.object({
  day: z.date().min(new Date("2020-01-01")),
  depth: z.int().min(1),
  note: z.string().optional(),
  rows: file().optional(),
});

let tasks = 0;

function defined(...triggers: readonly TriggerOption<typeof input>[]) {
  tasks += 1;
  return env.task({ name: `t${tasks}`, input, triggers }, () => {}).definition;
}

test("a trigger goes along with its task: inputs as the schema takes them, and the usual policies", () => {
  const { triggers, fullName } = defined({
    name: "nightly",
    cron: "0 3 * * *",
    inputs: { depth: 2 },
    timeInput: "day",
  });
  assert.deepEqual(triggers, [
    {
      task: fullName,
      name: "nightly",
      description: "",
      automation: {
        type: "schedule",
        schedule: { type: "cron", expression: "0 3 * * *", timeZone: "UTC" },
        timeInput: "day",
        catchUp: "all",
        overlap: "allow",
      },
      inputs: { depth: { type: "integer", value: "2" } },
      isActive: true,
      notify: [],
    },
  ]);
});

test("a fixed rate is whole minutes, and a trigger without a schedule is fired by hand", () => {
  const inputs = { depth: 2, day: new Date("2026-01-01") };
  const [rate, none] = defined({ name: "r", every: "1h30m", inputs }, { name: "n", inputs, active: false }).triggers;
  assert(rate?.automation.type === "schedule");
  assert.deepEqual(rate.automation.schedule, { type: "rate", everyMinutes: 90, startAtMs: null });
  assert.deepEqual([none?.automation, none?.isActive], [{ type: "none" }, false]);
  assert.throws(() => defined({ name: "r", every: "90s", inputs }), { message: /every is a whole number of minutes/ });
});

test("what does not fit the task is refused where the task is defined, by name", () => {
  const cron = "@daily";
  const whole = { depth: 1, day: new Date() };
  const refusals: readonly [TriggerOption<typeof input>, RegExp][] = [
    [{ name: "t", cron, inputs: { depth: 1 } }, /"t": inputs lacks "day"/],
    [{ name: "t", cron, timeInput: "day", inputs: { depth: 0 } }, /"t": input depth: /],
    [{ name: "t", cron, timeInput: "depth", inputs: whole }, /"depth" cannot take the scheduled time/],
    [{ name: "t", cron, timeZone: "Europe/Berln", inputs: whole }, /"Europe\/Berln" is no time zone/],
    [{ name: "t", timeInput: "day", inputs: { depth: 1 } }, /timeInput needs a schedule/],
    [{ name: "a b", cron, inputs: whole }, /without spaces/],
    [{ name: "t", cron, inputs: whole, notify: [{ url: "ftp://x", phases: ["failed"] }] }, /"t": "ftp:\/\/x" is not/],
    // @ts-expect-error: no input of the task
    [{ name: "t", cron, inputs: { ...whole, dpeth: 1 } }, /no input "dpeth"\. Did you mean "depth"/],
    // @ts-expect-error: no policy
    [{ name: "t", cron, inputs: whole, overlap: "jump" }, /overlap is one of allow, skip, queue, replace/],
  ];
  for (const [option, message] of refusals) assert.throws(() => defined(option), { code: "invalid_argument", message });
  assert.throws(() => defined({ name: "t", cron, inputs: whole }, { name: "t", cron, inputs: whole }), {
    message: /two of its triggers have the name "t"/,
  });
});
