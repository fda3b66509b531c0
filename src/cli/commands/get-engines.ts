// `godwit get engines`: the processes that serve runs here, what they may give out, and what of it is in use.
import type { EngineView } from "../../control/control.ts";
import { byteText, cpuText } from "../../core/quantities.ts";
import type { Machine } from "../../core/resources.ts";
import { withExisting } from "../existing-session.ts";
import type { CommonOptions } from "../place.ts";
import { type Io, type Paint, paintFor, write, writeJson, writeLine } from "../terminal.ts";
import { ageText, plural, printable, table } from "../text.ts";

export async function getEngines(options: CommonOptions, io: Io): Promise<number> {
  return withExisting(options, io, async (session) => {
    const engines = await session.godwit.control.engines(session.scope);
    if (options.json === true) await writeJson(io, engines.map(engineRecord));
    else if (engines.length === 0) await writeLine(io.stdout, "No process serves runs here.");
    else await write(io.stdout, `${engineLines(engines, paintFor(io.stdout, io.env)).join("\n")}\n`);
    return 0;
  });
}

const engineRecord = ({ id, pid, host, startedAtMs, isLive, runs, status }: EngineView) => ({
  engine: id,
  isLive,
  pid,
  host,
  startedAt: new Date(startedAtMs).toISOString(),
  runs,
  machine: status?.machine ?? null,
  used: status?.used ?? null,
  saidAt: status === null ? null : new Date(status.atMs).toISOString(),
});

function engineLines(engines: readonly EngineView[], paint: Paint): readonly string[] {
  const nowMs = Date.now();
  const rows = engines.map((engine) => [
    `${engine.isLive ? paint("green", "●") : paint("dim", "○")} ${engine.id.slice(0, 8)}`,
    engine.isLive ? "live" : "gone",
    `${engine.pid} on ${printable(engine.host)}`,
    ageText(engine.startedAtMs, nowMs),
    runsText(engine.runs),
    usedText(engine),
  ]);
  return table(["  ENGINE", "", "PROCESS", "STARTED", "RUNS", "IN USE"], rows);
}

const shownRuns = 3;

const runsText = (runs: readonly string[]): string =>
  runs.length > shownRuns ? plural(runs.length, "run") : runs.join(", ");

/** `1.5/4 CPUs, 2 GiB/14 GiB memory, 1/2 GPUs, 1/3 licence`; what the machine does not have is left out. */
function usedText({ status, isLive }: EngineView): string {
  if (status === null) return isLive ? "not said yet" : "";
  const { machine, used } = status;
  const of = (resource: string): number => used[resource] ?? 0;
  // Told by device, or all together.
  const gpus = Object.entries(used).reduce((sum, [name, count]) => (/^gpu(:|$)/.test(name) ? sum + count : sum), 0);
  return [
    `${cpuText(of("cpu"))}/${cpuText(machine.cpuMillis)} CPUs`,
    `${byteText(of("memory"))}/${byteText(machine.memoryBytes)} memory`,
    ...(of("disk") === 0 ? [] : [`${byteText(of("disk"))}/${byteText(machine.diskBytes)} disk`]),
    ...(machine.gpus.length === 0 ? [] : [`${gpus}/${machine.gpus.length} ${gpuWord(machine)}`]),
    ...Object.entries(machine.tokens).map(([name, count]) => `${of(`token:${name}`)}/${count} ${printable(name)}`),
  ].join(", ");
}

function gpuWord({ gpus }: Machine): string {
  const models = new Set(gpus.map(({ model }) => model));
  const [model] = models;
  return models.size === 1 && model !== undefined && model !== "GPU" ? `${printable(model)} GPUs` : "GPUs";
}
