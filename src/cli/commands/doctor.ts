// `godwit doctor`: whether the installation and the data directory are sound, and what to do if not.
import { access, constants, stat, statfs } from "node:fs/promises";
import { isTerminal, type Phase, phases } from "../../core/action.ts";
import { blobsOf } from "../../core/value.ts";
import { messageOf } from "../error-report.ts";
import { type CommonOptions, dataDirOf, projectDirOf, scopeOf } from "../place.ts";
import { openSession, type Session } from "../session.ts";
import { type Io, type Paint, paintFor, write, writeJson } from "../terminal.ts";
import { plural, sizeText } from "../text.ts";

export type DoctorOptions = CommonOptions & { readonly full?: boolean };

type Finding = {
  readonly check: string;
  /** A note asks for nothing; a problem does, and makes the exit code 1. */
  readonly verdict: "good" | "note" | "problem";
  readonly text: string;
  readonly next: string | null;
};

const oldestNode = 24;
const enoughFreeBytes = 500_000_000;
const sampledBlobs = 200;
const pageSize = 1_000;
/** Actions that are looked through for those that name a damaged blob. */
const maxSearched = 50_000;

export async function doctor(options: DoctorOptions, io: Io): Promise<number> {
  const dataDir = dataDirOf(options, io, projectDirOf(io.cwd));
  const findings = [nodeVersion(), ...(await examined(dataDir, options, io))];
  const isHealthy = findings.every(({ verdict }) => verdict !== "problem");
  if (options.json === true) await writeJson(io, { healthy: isHealthy, dataDir, findings });
  else
    await write(
      io.stdout,
      `${[...findingLines(findings, paintFor(io.stdout, io.env)), "", verdictText(findings)].join("\n")}\n`,
    );
  return isHealthy ? 0 : 1;
}

const good = (check: string, text: string): Finding => ({ check, verdict: "good", text, next: null });
const note = (check: string, text: string, next: string | null = null): Finding => ({
  check,
  verdict: "note",
  text,
  next,
});
const problem = (check: string, text: string, next: string): Finding => ({ check, verdict: "problem", text, next });

function nodeVersion(): Finding {
  const { node } = process.versions;
  return Number.parseInt(node, 10) >= oldestNode
    ? good("node", `Node ${node} at ${process.execPath}`)
    : problem("node", `Node ${node} is older than ${oldestNode}.`, `npm install --save-dev node@${oldestNode}`);
}

async function examined(dataDir: string, options: DoctorOptions, io: Io): Promise<readonly Finding[]> {
  const found = await stat(dataDir).catch(() => null);
  if (found === null) return [note("data directory", `There is none at ${dataDir}: nothing has run here yet.`)];
  if (!found.isDirectory()) {
    const next = "Name the directory with --data-dir.";
    return [problem("data directory", `${dataDir} is a file, not a directory.`, next)];
  }
  const place = [...(await directory(dataDir)), await space(dataDir)];
  if (place.some(({ check, verdict }) => check === "data directory" && verdict === "problem")) return place;
  let session: Session;
  try {
    session = await openSession({ dataDir, scope: scopeOf(options, io), io });
  } catch (error) {
    return [
      ...place,
      problem("database", messageOf(error), "See the message; the data directory has not been touched."),
    ];
  }
  try {
    return [
      ...place,
      await database(session),
      ...(await blobs(session, options.full === true)),
      ...(await runs(session)),
      ...(await engines(session)),
    ];
  } finally {
    await session.godwit.close();
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
          ? "Its file system is mounted read-only: use another place, with --data-dir."
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

async function database({ godwit }: Session): Promise<Finding> {
  const wrong = await godwit.store.verify();
  return wrong.length === 0
    ? good("database", "sound")
    : problem(
        "database",
        `The database is damaged: ${wrong.slice(0, 5).join("; ")}`,
        "Restore the data directory from a backup, or move it away and run anew.",
      );
}

async function blobs(session: Session, isFull: boolean): Promise<readonly Finding[]> {
  const store = session.godwit.blobs;
  const damaged: string[] = [];
  let checked = 0;
  let after: string | null = null;
  let isAll = true;
  for (;;) {
    const digests: readonly string[] = await store.list(after, isFull ? pageSize : sampledBlobs);
    for (const digest of digests) {
      if ((await store.verify(digest)) === false) damaged.push(digest);
      checked++;
    }
    after = digests.at(-1) ?? null;
    if (digests.length === 0) break;
    if (!isFull) {
      isAll = (await store.list(after, 1)).length === 0;
      break;
    }
  }
  if (damaged.length === 0) {
    const text = `${plural(checked, "blob")} checked, none damaged`;
    return [isAll ? good("blobs", text) : good("blobs", `${text} (a sample: --full checks all)`)];
  }
  const owners = await ownersOf(session, new Set(damaged));
  return damaged.map((digest) => {
    const of = owners.get(digest);
    return problem(
      "blobs",
      `The blob ${digest} is damaged${of === undefined ? "" : `; it belongs to ${of.join(", ")}`}.`,
      "Results that need it fail to load; rerun those runs: the cache takes damaged entries for misses.",
    );
  });
}

/** `run/action` names that mention these blobs, newest runs first, as far as looking goes. */
async function ownersOf(
  { godwit, scope }: Session,
  digests: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string[]>> {
  const owners = new Map<string, string[]>();
  const { items } = await godwit.control.listRuns(scope, { limit: pageSize, token: null });
  let searched = 0;
  const add = (digest: string, owner: string): void => {
    if (!digests.has(digest)) return;
    const known = owners.get(digest) ?? [];
    if (known.length < 5 && !known.includes(owner)) owners.set(digest, [...known, owner]);
  };
  for (const run of items) {
    add(run.bundle, `the code of ${run.name}`);
    let token: string | null = null;
    do {
      const page = await godwit.control.listActions(scope, run.name, { limit: pageSize, token });
      for (const action of page.items) {
        for (const payload of [action.inputs, action.outputs]) {
          if (payload?.type === "blob") add(payload.digest, `${run.name}/${action.name}`);
          if (payload?.type === "inline")
            for (const digest of blobsOf(await godwit.control.literals(payload)))
              add(digest, `${run.name}/${action.name}`);
        }
      }
      searched += page.items.length;
      token = page.token;
    } while (token !== null && searched < maxSearched);
    if (searched >= maxSearched) break;
  }
  return owners;
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
  return [
    good(
      "engines",
      stale.length === 0 ? text : `${text}; ${plural(stale.length, "mark")} of processes that have ended`,
    ),
  ];
}

const signs = { good: ["green", "✓"], note: ["yellow", "•"], problem: ["red", "✗"] } as const;

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
  const count = findings.filter(({ verdict }) => verdict === "problem").length;
  return count === 0 ? "All is well." : `${plural(count, "problem")} found.`;
}
