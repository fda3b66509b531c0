// Numbers for Prometheus. Every label has a bounded set of values: methods that are served, codes, phases; never
// a project, a run or a path.
//
// R1  Counting costs next to nothing and begins with the server; the library that prints is loaded afterwards.
import type { Registry } from "prom-client";
import type { Action, Phase } from "../core/action.ts";
import { engineStatusOf } from "../core/engine-status.ts";
import type { Page } from "./pages.ts";
import type { Call } from "./rpc.ts";

export type MetricsSources = {
  /** Commits of this process; null is a hint that others have committed. */
  readonly onChange: (listener: (committed: { readonly actions: readonly Action[] } | null) => void) => () => void;
  readonly engines: () => Promise<readonly { readonly isLive: boolean; readonly status: string | null }[]>;
};

export type Metrics = {
  readonly page: Page;
  call(call: Call): void;
  /** What the server itself knows, asked for when somebody looks. */
  watch(server: { readonly connections: () => number; readonly calls: () => number }): void;
  close(): void;
};

type Instruments = { readonly registry: Registry; readonly call: (call: Call) => void };

/** R1: calls that are remembered while the library is being loaded; then they are told to it. */
const maxEarlyCalls = 1_000;

export function createMetrics(sources: MetricsSources): Metrics {
  const entered = new Map<Phase, number>();
  const runs = new Map<Phase, number>();
  let commits = 0;
  const stop = sources.onChange((committed) => {
    if (committed === null) return;
    commits++;
    for (const { phase, parent } of committed.actions) {
      entered.set(phase, (entered.get(phase) ?? 0) + 1);
      if (parent === null) runs.set(phase, (runs.get(phase) ?? 0) + 1);
    }
  });
  let server = { connections: () => 0, calls: () => 0 };
  let early: Call[] | null = [];
  let instruments: Promise<Instruments> | null = null;
  let onCall: ((call: Call) => void) | null = null;
  const load = async (): Promise<Instruments> => {
    const made = await instrumentsOf({
      sources,
      counts: { entered, runs, commits: () => commits },
      server: () => server,
    });
    for (const call of early ?? []) made.call(call);
    early = null;
    onCall = made.call;
    return made;
  };
  return {
    page: {
      method: "GET",
      path: "/metrics",
      answer: async (_request, response) => {
        instruments ??= load();
        const { registry } = await instruments;
        const text = await registry.metrics();
        response.writeHead(200, { "content-type": registry.contentType });
        response.end(text);
      },
    },
    call: (call) => {
      if (onCall !== null) onCall(call);
      else if (early !== null && early.length < maxEarlyCalls) early.push(call);
      // Nobody has looked yet, and enough has happened that somebody may.
      else instruments ??= load();
    },
    watch: (watched) => {
      server = watched;
    },
    close: stop,
  };
}

type InstrumentSources = {
  readonly sources: MetricsSources;
  readonly counts: {
    readonly entered: ReadonlyMap<Phase, number>;
    readonly runs: ReadonlyMap<Phase, number>;
    readonly commits: () => number;
  };
  readonly server: () => { readonly connections: () => number; readonly calls: () => number };
};

async function instrumentsOf({ sources, counts, server }: InstrumentSources): Promise<Instruments> {
  const { collectDefaultMetrics, Counter, Histogram, Registry } = await import("prom-client");
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const durations = new Histogram({
    name: "godwit_call_duration_seconds",
    help: "Time from the head of a call to the end of its answer; of streams, as long as they were open.",
    labelNames: ["service", "method", "code"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 600],
    registers,
  });
  const byPhase = (name: string, help: string, entered: ReadonlyMap<Phase, number>): void => {
    new Counter({
      name,
      help,
      labelNames: ["phase"],
      registers,
      collect() {
        this.reset();
        for (const [phase, count] of entered) this.inc({ phase }, count);
      },
    });
  };
  byPhase("godwit_actions_total", "Actions that came into a phase, by commits of this server.", counts.entered);
  byPhase("godwit_runs_total", "Runs that came into a phase, by commits of this server.", counts.runs);
  new Counter({
    name: "godwit_commits_total",
    help: "Commits of this server, of which several may have shared one transaction.",
    registers,
    collect() {
      this.reset();
      this.inc(counts.commits());
    },
  });
  addGauges(await import("prom-client"), registers, sources, server);
  return {
    registry,
    call: ({ service, method, code, durationMs }) => durations.observe({ service, method, code }, durationMs / 1_000),
  };
}

/** What is so at the moment when somebody looks. */
function addGauges(
  { Gauge }: typeof import("prom-client"),
  registers: Registry[],
  sources: MetricsSources,
  server: InstrumentSources["server"],
): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge("godwit_connections", "Connections that are open.", () => server().connections());
  gauge("godwit_calls", "Calls and streams that are under way.", () => server().calls());
  new Gauge({
    name: "godwit_engines",
    help: "Live engines on this data directory.",
    registers,
    async collect() {
      this.set((await sources.engines()).filter(({ isLive }) => isLive).length);
    },
  });
  new Gauge({
    name: "godwit_waiting_lanes",
    help: "Groups of like actions that wait, by what they wait for.",
    labelNames: ["reason"],
    registers,
    async collect() {
      this.reset();
      for (const { isLive, status } of await sources.engines()) {
        if (!isLive) continue;
        for (const { reason } of engineStatusOf(status)?.waits ?? []) this.inc({ reason: reason.type });
      }
    },
  });
}
