// Triggers as a task's definition has them: what starts runs of it by itself, once it is deployed. What can be known
// without a server is checked here, where the task is defined; whether a cron expression ever comes, by the server.
import type { BlobStore } from "../blob/blob.ts";
import {
  type Automation,
  type CatchUp,
  catchUps,
  type DefinedTrigger,
  type Overlap,
  overlaps,
} from "../core/automation.ts";
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";
import { checkRules, type NotificationRule, type ToldPhase, type WebhookTarget } from "../core/notification.ts";
import { type Duration, durationMs } from "../core/quantities.ts";
import type { Schedule } from "../core/schedule.ts";
import { timeLiteral } from "../core/trigger-changes.ts";
import type { Literals } from "../core/value.ts";
import type { Codec } from "./codec.ts";
import type { Definition } from "./definition.ts";
import type { InferInput, Schema } from "./schema.ts";

type Input<I extends Schema | undefined> = I extends Schema ? InferInput<I> : Record<never, never>;

type ScheduleOption =
  /** Five fields (`"0 3 * * *"`), on the clock of a time zone as IANA names it. Default: UTC. */
  | { readonly cron: string; readonly timeZone?: string; readonly every?: undefined; readonly startAt?: undefined }
  /** A fixed rate of whole minutes, `"15m"`, from a moment. Default: from when the trigger is activated. */
  | { readonly every: Duration; readonly startAt?: Date; readonly cron?: undefined; readonly timeZone?: undefined }
  /** Neither: only when somebody asks, with `godwit trigger fire`. */
  | {
      readonly cron?: undefined;
      readonly timeZone?: undefined;
      readonly every?: undefined;
      readonly startAt?: undefined;
    };

export type TriggerOption<I extends Schema | undefined> = ScheduleOption & {
  /** Unique among the triggers of the task. */
  readonly name: string;
  readonly description?: string;
  /** Inputs of its runs: all that the task demands, save the scheduled time. */
  readonly inputs?: Partial<Input<I>>;
  /** The input that gets the scheduled time: of type date or text. */
  readonly timeInput?: keyof Input<I> & string;
  /** Of ticks that came while no server was there: start them all, the latest, or none. Default: `"all"`. */
  readonly catchUp?: CatchUp;
  /** At a tick at which the last run has not ended. Default: `"allow"`. */
  readonly overlap?: Overlap;
  /** Whether it is active once it is deployed. Default: yes. */
  readonly active?: boolean;
  /** Who is told when its runs have ended. */
  readonly notify?: readonly NotifyOption[];
};

/** A webhook, and the phases it is called for. Default: POST, with Godwit's own JSON. */
export type NotifyOption = Pick<WebhookTarget, "url"> &
  Partial<Omit<WebhookTarget, "url">> & { readonly phases: readonly ToldPhase[] };

type Defined = { readonly task: string; readonly input: Codec };

export function definedTrigger(option: TriggerOption<Schema>, { task, input }: Defined): DefinedTrigger {
  const where = `${task}: trigger ${JSON.stringify(option.name)}`;
  if (typeof option.name !== "string" || !/^[^\s/\\\p{C}]{1,100}$/u.test(option.name))
    throw new GodwitError(
      "invalid_argument",
      `${where}: the name has 1 to 100 characters, without spaces and slashes.`,
    );
  return {
    task,
    name: option.name,
    description: option.description ?? "",
    automation: automationOf(option, where),
    inputs: inputsOf(option, input, where),
    isActive: option.active ?? true,
    notify: rulesOf(option.notify ?? [], where),
  };
}

function automationOf(option: TriggerOption<Schema>, where: string): Automation {
  const { timeInput = null, catchUp = "all", overlap = "allow" } = option;
  const schedule = scheduleOf(option, where);
  if (!catchUps.includes(catchUp)) throw refused(where, "catchUp", catchUps, catchUp);
  if (!overlaps.includes(overlap)) throw refused(where, "overlap", overlaps, overlap);
  if (schedule !== null) return { type: "schedule", schedule, timeInput, catchUp, overlap };
  if (timeInput === null) return { type: "none" };
  throw new GodwitError("invalid_argument", `${where}: timeInput needs a schedule: give cron or every.`);
}

const refused = (where: string, what: string, known: readonly string[], found: unknown): GodwitError =>
  new GodwitError("invalid_argument", `${where}: ${what} is one of ${known.join(", ")}, not ${JSON.stringify(found)}.`);

function scheduleOf(option: TriggerOption<Schema>, where: string): Schedule | null {
  const { cron, timeZone = "UTC", every, startAt } = option;
  if (cron !== undefined && every !== undefined)
    throw new GodwitError("invalid_argument", `${where}: give cron or every, not both.`);
  if (cron !== undefined) return { type: "cron", expression: cron, timeZone: checkTimeZone(timeZone, where) };
  if (every === undefined) return null;
  const everyMinutes = durationMs(every, `${where}: every`) / 60_000;
  if (!Number.isInteger(everyMinutes) || everyMinutes < 1)
    throw new GodwitError("invalid_argument", `${where}: every is a whole number of minutes, such as "15m".`);
  return { type: "rate", everyMinutes, startAtMs: startAt?.getTime() ?? null };
}

function checkTimeZone(timeZone: string, where: string): string {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return timeZone;
  } catch (cause) {
    throw new GodwitError(
      "invalid_argument",
      `${where}: ${JSON.stringify(timeZone)} is no time zone. Name it as IANA does: "Europe/Berlin".`,
      { cause },
    );
  }
}

/** The scheduled time is not known yet: some moment stands for it while the others are checked. */
function inputsOf({ inputs = {}, timeInput }: TriggerOption<Schema>, input: Codec, where: string): Literals {
  const given = inputs as { readonly [name: string]: unknown };
  checkNames(given, timeInput, input, where);
  const moment = timeInput === undefined ? {} : (input.decode(momentFor(timeInput, input, where), noBlobs) as object);
  const whole = { ...given, ...moment };
  const encoded = input.encode(whole, noBlobs);
  if (encoded instanceof Promise) {
    // Nobody waits for it: there is nowhere to store a file.
    encoded.catch(() => {});
    throw new GodwitError(
      "invalid_argument",
      `${where}: a file cannot be an input of a trigger. Give its path as text.`,
    );
  }
  const checked = input.validate(whole);
  // What waits for others is checked by each run.
  const issues = checked instanceof Promise || checked.type === "valid" ? [] : checked.issues;
  const issue = issues.find(({ path }) => timeInput === undefined || path !== timeInput);
  if (issue !== undefined) throw new GodwitError("invalid_argument", `${where}: input ${issue.path}: ${issue.message}`);
  return Object.fromEntries(Object.entries(encoded).filter(([name]) => name !== timeInput));
}

const noBlobs: BlobStore = new Proxy({} as BlobStore, {
  get: () => () => Promise.reject(new GodwitError("failed_precondition", "A definition has nowhere to store files.")),
});

function checkNames(
  given: { readonly [name: string]: unknown },
  timeInput: string | undefined,
  { variables }: Codec,
  where: string,
): void {
  const known = variables.map(({ name }) => name);
  const names = [...Object.keys(given), ...(timeInput === undefined ? [] : [timeInput])];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new GodwitError(
      "invalid_argument",
      `${where}: the task has no input "${unknown}".${didYouMean(unknown, known)}`,
    );
  const missing = variables.find(({ name, required }) => required && !names.includes(name));
  if (missing !== undefined)
    throw new GodwitError("invalid_argument", `${where}: inputs lacks "${missing.name}", which the task needs.`);
}

function momentFor(timeInput: string, { variables }: Codec, where: string): Literals {
  const type = variables.find(({ name }) => name === timeInput)?.type;
  const literal = type === undefined ? null : timeLiteral(type, 0);
  if (literal !== null) return { [timeInput]: literal };
  throw new GodwitError(
    "invalid_argument",
    `${where}: the input "${timeInput}" cannot take the scheduled time: it is neither a date nor text.`,
  );
}

function rulesOf(notify: readonly NotifyOption[], where: string): readonly NotificationRule[] {
  const rules = notify.map(
    ({ url, phases, method = "POST", headers = {}, body = null }): NotificationRule => ({
      phases,
      target: { url, method, headers, body },
    }),
  );
  try {
    checkRules(rules);
  } catch (cause) {
    throw new GodwitError("invalid_argument", `${where}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
  return rules;
}

export function checkDistinct({ fullName, triggers }: Definition): void {
  const names = triggers.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new GodwitError("invalid_argument", `${fullName}: two of its triggers have the name "${twice}".`);
}
