// Who is told when a run has ended, what they are told, and how often that is tried.
//
// R1  A notification is made in the commit that ends its run, so that neither is without the other. Its id
//     follows from run, phase and target: there is one of it, however often it is sent.
// R2  It is sent at least once, and until somebody has taken it or `maxTries` is spent; each time with the
//     same id, by which a receiver can tell that it has it already.
// R3  A try is committed before it is made. Who dies meanwhile has made it, and the next one comes in its time.
import { GodwitError } from "./error.ts";
import { hashParts } from "./hash.ts";
import { backoffMs } from "./retry.ts";

/** The phases in which a run can end and be told of. */
export const toldPhases = ["succeeded", "failed", "aborted", "timed_out"] as const;
export type ToldPhase = (typeof toldPhases)[number];

export const webhookMethods = ["POST", "PUT", "PATCH", "GET", "DELETE"] as const;

export type WebhookTarget = {
  readonly url: string;
  readonly method: (typeof webhookMethods)[number];
  readonly headers: { readonly [name: string]: string };
  /**
   * Null: Godwit's own JSON. Else that, in which `{{.Run.Project}}`, `{{.Run.Domain}}`, `{{.Run.Name}}`,
   * `{{.Phase}}` and `{{.Error}}` are replaced; they may stand in the URL and in headers too.
   */
  readonly body: string | null;
};

export type NotificationRule = { readonly phases: readonly ToldPhase[]; readonly target: WebhookTarget };

/** A rule of a project: for all of its runs, or for those that name it. */
export type ProjectRule = NotificationRule & { readonly name: string; readonly isForAll: boolean };

export const maxRules = 20;
const maxUrlLength = 2_000;
const maxHeaders = 20;
const maxTemplateLength = 16_384;

/** In characters; the end of a longer one is left out. */
export const maxErrorLength = 4_096;
/** In bytes: what a receiver has to take. */
export const maxBodyBytes = 65_536;

export type Ended = {
  readonly run: {
    readonly id: number;
    readonly project: string;
    readonly domain: string;
    readonly name: string;
    readonly task: string;
    readonly createdAtMs: number;
    readonly endedAtMs: number | null;
    readonly labels: { readonly [key: string]: string };
  };
  readonly phase: ToldPhase;
  readonly error: { readonly code: string; readonly message: string } | null;
};

export type Notification = {
  readonly id: string;
  readonly run: { readonly id: number; readonly project: string; readonly domain: string; readonly name: string };
  /** Of the run; `paused`: a condition of it waits for an answer. */
  readonly phase: ToldPhase | "paused";
  readonly request: {
    readonly url: string;
    readonly method: WebhookTarget["method"];
    readonly headers: { readonly [name: string]: string };
    readonly body: string;
  };
  readonly state: "pending" | "delivered" | "failed";
  /** Made so far, the one that is under way among them. */
  readonly tries: number;
  /** Of the last try that was not taken, for people. */
  readonly problem: string | null;
  readonly createdAtMs: number;
  readonly deliveredAtMs: number | null;
};

/** What came of a try. */
export type TryResult =
  | { readonly type: "taken" }
  /** `isFinal`: the same again would be answered the same. */
  | { readonly type: "refused"; readonly problem: string; readonly isFinal: boolean };

/** With the backoff below: given up after some ten hours. */
export const maxTries = 12;
const backoff = { baseMs: 5_000, factor: 2.5, capMs: 2 * 3_600_000 };

/** R3: a try that nobody has told the end of by then is taken for lost. */
export const tryTimeoutMs = 10_000;
const lostAfterMs = tryTimeoutMs + 5_000;

/** R1. In the order of the rules; of two that say the same to the same, one. */
export function notificationsOf(ended: Ended, rules: readonly NotificationRule[], nowMs: number): Notification[] {
  const made = new Map<string, Notification>();
  for (const { phases, target } of rules) {
    if (!phases.includes(ended.phase)) continue;
    const id = idOf(ended, target);
    const { id: run, project, domain, name } = ended.run;
    made.set(id, {
      id,
      run: { id: run, project, domain, name },
      phase: ended.phase,
      request: requestOf(ended, target, id),
      state: "pending",
      tries: 0,
      problem: null,
      createdAtMs: nowMs,
      deliveredAtMs: null,
    });
  }
  return [...made.values()];
}

/** Of a condition that begins to wait, to whom it names. Made in the commit that makes it. */
export function conditionNotice(
  run: Notification["run"],
  condition: { readonly action: string; readonly url: string; readonly body: string },
  nowMs: number,
): Notification {
  const { id, project, domain, name } = run;
  return {
    id: hashParts(String(id), name, condition.action, condition.url).slice(0, 32),
    run: { id, project, domain, name },
    phase: "paused",
    request: {
      url: condition.url,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: condition.body,
    },
    state: "pending",
    tries: 0,
    problem: null,
    createdAtMs: nowMs,
    deliveredAtMs: null,
  };
}

function idOf({ run, phase }: Ended, { url, method, body }: WebhookTarget): string {
  return hashParts(String(run.id), run.name, phase, method, url, body ?? "").slice(0, 32);
}

/** R3: the state to commit before the try, and the moment of the next one if this one is never heard of. */
export const trying = (notification: Notification, nowMs: number): { next: Notification; dueAtMs: number } => ({
  next: { ...notification, tries: notification.tries + 1 },
  dueAtMs: nowMs + lostAfterMs,
});

/** Null: no try is left. */
export const triesLeft = ({ state, tries }: Notification): boolean => state === "pending" && tries < maxTries;

/** What becomes of it after a try; `dueAtMs` is null when it is over. */
export function afterTry(
  notification: Notification,
  result: TryResult,
  nowMs: number,
): { readonly next: Notification; readonly dueAtMs: number | null } {
  if (result.type === "taken") {
    return { next: { ...notification, state: "delivered", problem: null, deliveredAtMs: nowMs }, dueAtMs: null };
  }
  const { problem } = result;
  if (result.isFinal || notification.tries >= maxTries)
    return { next: { ...notification, state: "failed", problem }, dueAtMs: null };
  const waitMs = backoffMs(backoff, notification.tries, notification.id);
  return { next: { ...notification, problem }, dueAtMs: nowMs + waitMs };
}

/** Pending again, with all tries before it: for people who have mended the receiver. */
export const triedAnew = (notification: Notification): Notification => ({
  ...notification,
  state: "pending",
  tries: 0,
  deliveredAtMs: null,
});

function requestOf(ended: Ended, target: WebhookTarget, id: string): Notification["request"] {
  const words = wordsOf(ended);
  const headers = Object.entries(target.headers).map(([name, value]) => [name, oneLine(filled(value, words))]);
  const body = target.body === null ? ownBody(ended, id) : filledBody(target.body, words);
  return {
    url: filled(target.url, mapped(words, encodeURIComponent)),
    method: target.method,
    headers: Object.fromEntries(headers),
    body,
  };
}

type Words = { readonly [word: string]: string };

const wordsOf = ({ run, phase, error }: Ended): Words => ({
  "Run.Project": run.project,
  "Run.Domain": run.domain,
  "Run.Name": run.name,
  Phase: phase.toUpperCase(),
  Error: errorText(error),
});

const errorText = (error: Ended["error"]): string =>
  error === null ? "" : `${error.code}: ${error.message}`.slice(0, maxErrorLength);

const mapped = (words: Words, change: (value: string) => string): Words =>
  Object.fromEntries(Object.entries(words).map(([word, value]) => [word, change(value)]));

const filled = (template: string, words: Words): string =>
  template.replace(/\{\{\s*\.([\w.]+)\s*\}\}/g, (whole, word: string) => words[word] ?? whole);

/** In JSON, what is put in is text within its strings, whatever it consists of. */
function filledBody(template: string, words: Words): string {
  const isJson = isParsable(template);
  const body = filled(template, isJson ? mapped(words, (value) => JSON.stringify(value).slice(1, -1)) : words);
  return Buffer.byteLength(body) <= maxBodyBytes
    ? body
    : filled(template, {
        ...mapped(words, (value) => (isJson ? JSON.stringify(value).slice(1, -1) : value)),
        Error: "",
      });
}

function isParsable(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // Then it is text of some other kind.
  }
}

const oneLine = (value: string): string => value.replace(/[^\x20-\x7e]+/g, " ").slice(0, 1_000);

function ownBody({ run, phase, error }: Ended, id: string): string {
  const { project, domain, name, task, createdAtMs, endedAtMs, labels } = run;
  const told = {
    id,
    type: `run.${phase}`,
    run: {
      project,
      domain,
      name,
      task,
      phase,
      createdAt: new Date(createdAtMs).toISOString(),
      endedAt: endedAtMs === null ? null : new Date(endedAtMs).toISOString(),
    },
    error: error === null ? null : { code: error.code, message: error.message.slice(0, maxErrorLength) },
  };
  const whole = JSON.stringify({ ...told, labels });
  return Buffer.byteLength(whole) <= maxBodyBytes ? whole : JSON.stringify(told);
}

/** Throws `invalid_argument` if it cannot be kept. */
export function checkRules(rules: readonly NotificationRule[]): void {
  if (rules.length > maxRules) refuse(`There may be ${maxRules} rules for notifications at most, not ${rules.length}.`);
  for (const { phases, target } of rules) {
    if (phases.length === 0) refuse("A rule for notifications names at least one phase.");
    const unknown = phases.find((phase) => !toldPhases.includes(phase));
    if (unknown !== undefined)
      refuse(`Nobody is notified of the phase "${unknown}": a run ends in ${toldPhases.join(", ")}.`);
    checkTarget(target);
  }
}

function checkTarget({ url, method, headers, body }: WebhookTarget): void {
  const parsed = URL.canParse(url) ? new URL(url) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || url.length > maxUrlLength)
    refuse(`${JSON.stringify(url.slice(0, 200))} is not the http or https address of a webhook.`);
  if (parsed?.username || parsed?.password) refuse("Put no password into a webhook's address; use a header.");
  if (!webhookMethods.includes(method)) refuse(`A webhook is called with ${webhookMethods.join(", ")}, not ${method}.`);
  const names = Object.keys(headers);
  if (names.length > maxHeaders) refuse(`A webhook has at most ${maxHeaders} headers, not ${names.length}.`);
  for (const name of names) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/.test(name)) refuse(`${JSON.stringify(name)} is no name of a header.`);
    if (ownHeaders.test(name)) refuse(`The header "${name}" is set by Godwit.`);
  }
  if (body !== null && body.length > maxTemplateLength)
    refuse(`A webhook's body has at most ${maxTemplateLength} characters, not ${body.length}.`);
}

const ownHeaders = /^(host|content-length|transfer-encoding|connection|upgrade|idempotency-key|webhook-.*)$/i;

function refuse(message: string): never {
  throw new GodwitError("invalid_argument", message);
}
