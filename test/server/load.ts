// Clients that start runs, all at once, and go on asking until each has been acknowledged, whatever becomes of the
// server in the meantime; and the account of it afterwards.
import { type Answer, ask } from "./service.ts";
import { napInputs, napSpec, projectId, runId } from "./valid-requests.ts";

export type Plan = {
  readonly clients: number;
  readonly runsEach: number;
  /** How long a run's only task sleeps. */
  readonly napMs: number;
  /** Of the names. */
  readonly prefix?: string;
};

export type Account = {
  /** Names of runs that the server has said it made. */
  readonly acknowledged: readonly string[];
  /** Of each answered CreateRun, from the request that was answered on. */
  readonly latenciesMs: readonly number[];
  /** Requests that were not answered, and asked again. */
  readonly repeated: number;
  /** Answers that are neither success nor "ask again". */
  readonly refused: readonly string[];
};

/** Every fifth run has no name, so that a request that is not answered may have made one. */
export const isNamed = (at: number): boolean => at % 5 !== 4;

export const nameOf = (client: number, at: number, prefix = "c"): string => `${prefix}${client}-${at}`;

export async function startRuns(url: string, { clients, runsEach, napMs, prefix }: Plan): Promise<Account> {
  const acknowledged: string[] = [];
  const latenciesMs: number[] = [];
  const refused: string[] = [];
  let repeated = 0;
  const startOne = async (client: number, at: number): Promise<void> => {
    const id = isNamed(at) ? { runId: { ...runId, name: nameOf(client, at, prefix) } } : { projectId };
    const request = { ...id, taskSpec: napSpec(), inputs: napInputs(`${napMs / 1_000}s`) };
    for (;;) {
      const startedAtMs = performance.now();
      const answer = await ask(url, "workflow.RunService/CreateRun", request).catch(() => null);
      if (answer?.code === "ok") {
        latenciesMs.push(performance.now() - startedAtMs);
        acknowledged.push(nameIn(answer));
        return;
      }
      if (answer !== null && answer.code !== "unavailable") {
        refused.push(`${answer.code}: ${answer.message}`);
        return;
      }
      repeated++;
      await pause(20);
    }
  };
  await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      for (let at = 0; at < runsEach; at++) await startOne(client, at);
    }),
  );
  return { acknowledged, latenciesMs, repeated, refused };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type RunMessage = {
  readonly action: {
    readonly id: { readonly run: { readonly name: string } };
    readonly status: { readonly phase: string };
  };
};

const nameIn = ({ body }: Answer): string => (body as { readonly run: RunMessage }).run.action.id.run.name;

/** All there are, by name, with the phase of each; a name that is there twice is there twice. */
export async function listRuns(url: string): Promise<readonly (readonly [name: string, phase: string])[]> {
  const found: (readonly [string, string])[] = [];
  for (let token = ""; ; ) {
    const request = { projectId, request: { limit: 1_000, token } };
    const { code, message, body } = await ask(url, "workflow.RunService/ListRuns", request);
    if (code !== "ok") throw new Error(`ListRuns: ${message}`);
    const page = body as { readonly runs?: readonly RunMessage[]; readonly token?: string };
    for (const { action } of page.runs ?? []) found.push([action.id.run.name, action.status.phase]);
    token = page.token ?? "";
    if (token === "") return found;
  }
}

export async function allEnded(url: string, limitMs: number): Promise<readonly (readonly [string, string])[]> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const runs = await listRuns(url);
    const open = runs.filter(([, phase]) => !/SUCCEEDED|FAILED|ABORTED|TIMED_OUT/.test(phase));
    if (open.length === 0) return runs;
    if (performance.now() > endMs)
      throw new Error(`${open.length} runs have not ended: ${open.slice(0, 5).join(", ")}`);
    await pause(100);
  }
}

export const percentile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0;
