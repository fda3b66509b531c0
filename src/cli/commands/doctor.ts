// `godwit doctor`: whether the installation and the data directory are sound, and what to do if not.
import { access, constants, stat, statfs } from "node:fs/promises";
import { isTerminal, type Phase, phases } from "../../core/action.ts";
import { type Diagnosis, type Finding, good, note, problem } from "../../doctor/doctor.ts";
import { readDecisions } from "../../settings/settings.ts";
import { messageOf } from "../error-report.ts";
import { type CommonOptions, dataDirOf, projectDirOf, scopeOf } from "../place.ts";
import { openSession, type Session } from "../session.ts";
import { type Io, type Paint, paintFor, write, writeJson } from "../terminal.ts";
import { plural, sizeText } from "../text.ts";

export type DoctorOptions = CommonOptions & { readonly full?: boolean; readonly repair?: boolean };

const oldestNode = 24;
const enoughFreeBytes = 500_000_000;
const pageSize = 1_000;

export async function doctor(options: DoctorOptions, io: Io): Promise<number> {
  const dataDir = dataDirOf(options, io, projectDirOf(io.cwd));
  const findings = [nodeVersion(), ...settings(dataDir, io), ...(await examined(dataDir, options, io))];
  const isHealthy = findings.every(({ verdict }) => verdict !== "problem");
  if (options.json === true) await writeJson(io, { healthy: isHealthy, dataDir, findings });
  else
    await write(
      io.stdout,
      `${[...findingLines(findings, paintFor(io.stdout, io.env)), "", verdictText(findings)].join("\n")}\n`,
    );
  return isHealthy ? 0 : 1;
}

function nodeVersion(): Finding {
  const { node } = process.versions;
  return Number.parseInt(node, 10) >= oldestNode
    ? good("node", `Node ${node} at ${process.execPath}`)
    : problem("node", `Node ${node} is older than ${oldestNode}.`, `npm install --save-dev node@${oldestNode}`);
}

/** Nothing is said of those that can be read: most projects have none. */
function settings(dataDir: string, io: Io): readonly Finding[] {
  try {
    readDecisions({ dataDir, env: io.env });
    return [];
  } catch (error) {
    return [problem("settings", messageOf(error), "No run starts before that is put right.")];
  }
}

async function examined(dataDir: string, options: DoctorOptions, io: Io): Promise<readonly Finding[]> {
  const found = await stat(dataDir).catch(() => null);
  if (found === null) return [note("data directory", `There is none at ${dataDir}: nothing has run here yet.`)];
  if (!found.isDirectory()) {
    const next = "Name the directory with --data-dir.";
    return [problem("data directory", `${dataDir} is a file, not a directory.`, next)];
  }
  const place = [...(await directory(dataDir)), await space(dataDir)];
  const isReadable = await access(dataDir, constants.R_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
  if (!isReadable || (options.repair === true && place[0]?.verdict === "problem")) return place;
  const { findings, isUsable } = await diagnosis(dataDir, options, io);
  return [...place, ...findings, ...(isUsable ? await inUse(dataDir, options, io) : [])];
}

async function diagnosis(dataDir: string, options: DoctorOptions, io: Io): Promise<Diagnosis> {
  const { examineDataDir } = await import("../../godwit.ts");
  const repairs = options.repair === true;
  const progress = new Progress(io);
  try {
    const isFull = repairs || options.full === true;
    return await examineDataDir({ dataDir, isFull, repairs, onProgress: (text) => progress.say(text) });
  } finally {
    progress.end();
  }
}

async function inUse(dataDir: string, options: DoctorOptions, io: Io): Promise<readonly Finding[]> {
  let session: Session;
  try {
    session = await openSession({ dataDir, scope: scopeOf(options, io), io });
  } catch (error) {
    return [problem("database", messageOf(error), "See the message.")];
  }
  try {
    return [...(await runs(session)), ...(await engines(session))];
  } finally {
    await session.godwit.close();
  }
}

/** One line that is written over, where somebody looks; else a line each. */
class Progress {
  readonly #io: Io;
  #isShown = false;

  constructor(io: Io) {
    this.#io = io;
  }

  say(text: string): void {
    const isTerminal = this.#io.stderr.isTTY === true;
    this.#io.stderr.write(isTerminal ? `\r\x1b[2K${text}` : `${text}\n`);
    this.#isShown = isTerminal;
  }

  end(): void {
    if (this.#isShown) this.#io.stderr.write("\r\x1b[2K");
  }
}

async function directory(dataDir: string): Promise<readonly Finding[]> {
  try {
    await access(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    return [good("data directory", dataDir)];
  } catch (error) {
    const isReadOnly = (error as NodeJS.ErrnoException).code === "EROFS";
    return [
      problem(
        "data directory",
        `${dataDir} cannot be read and written: ${messageOf(error)}`,
        isReadOnly
          ? "Its file system is mounted read-only: godwit get reads what is there. To run, mount it writable, or name another place with --data-dir."
          : `Give yourself the right to it: chmod u+rwx ${dataDir}`,
      ),
    ];
  }
}

async function space(dataDir: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(dataDir);
  const freeBytes = bavail * bsize;
  return freeBytes >= enoughFreeBytes
    ? good("free space", sizeText(freeBytes))
    : problem(
        "free space",
        `Only ${sizeText(freeBytes)} left on the disk of ${dataDir}.`,
        "Make room: a full disk fails runs.",
      );
}

const unfinished: readonly Phase[] = phases.filter((phase) => !isTerminal(phase));

async function runs({ godwit, scope }: Session): Promise<readonly Finding[]> {
  const { items, token } = await godwit.control.listRuns(scope, { phases: unfinished, limit: pageSize, token: null });
  const left = [];
  for (const run of items) if (!(await godwit.isServed(run.id))) left.push(run);
  const served = items.length - left.length;
  const summary = good(
    "runs",
    items.length === 0
      ? "none unfinished"
      : `${served} under way, ${left.length} left unfinished${token === null ? "" : " (of the newest 1,000)"}`,
  );
  const notes = left
    .slice(0, 20)
    .map((run) =>
      note(
        "runs",
        `${run.name} (${run.task}) was interrupted; no live process serves it.`,
        `godwit resume ${run.name}   or: godwit abort ${run.name}`,
      ),
    );
  return [summary, ...notes];
}

async function engines({ godwit }: Session): Promise<readonly Finding[]> {
  const known = await godwit.store.engines();
  const stale = known.filter(({ isLive }) => !isLive);
  const live = known.length - stale.length;
  const text = `${plural(live, "other live process", "other live processes")} on this data directory`;
  const stopped = (await godwit.liveEngines()).filter(({ isStopped }) => isStopped);
  return [
    good(
      "engines",
      stale.length === 0 ? text : `${text}; ${plural(stale.length, "mark")} of processes that have ended`,
    ),
    ...stopped.map(({ pid }) =>
      problem(
        "engines",
        `The process ${pid} is stopped. It keeps the runs that it serves, and moves none of them forward.`,
        `kill -CONT ${pid}   or, so that they can be resumed: kill -KILL ${pid}`,
      ),
    ),
  ];
}

const signs = {
  good: ["green", "✓"],
  note: ["yellow", "•"],
  problem: ["red", "✗"],
  repaired: ["green", "+"],
} as const;

function findingLines(findings: readonly Finding[], paint: Paint): readonly string[] {
  const width = Math.max(...findings.map(({ check }) => check.length));
  return findings.flatMap(({ check, verdict, text, next }) => {
    const [style, sign] = signs[verdict];
    return [
      `${paint(style, sign)} ${check.padEnd(width)}  ${text}`,
      ...(next === null ? [] : [`  ${" ".repeat(width)}  ${paint("dim", `→ ${next}`)}`]),
    ];
  });
}

function verdictText(findings: readonly Finding[]): string {
  const count = (wanted: Finding["verdict"]): number => findings.filter(({ verdict }) => verdict === wanted).length;
  const repairs = count("repaired") === 0 ? "" : `${plural(count("repaired"), "repair")} made. `;
  return `${repairs}${count("problem") === 0 ? "All is well." : `${plural(count("problem"), "problem")} found.`}`;
}
