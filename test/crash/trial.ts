// One trial: kills a run at a point, again on resume if that is asked for, resumes it to its end, and says
// what is not as in an undisturbed run.
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { openGodwit } from "../../src/godwit.ts";
import { processesWith, until } from "../project.ts";
import { type Ending, endingOf, leftovers, type Progress, progressOf, repeats } from "./ending.ts";
import { type Point, type PointTotals, pointText, type Setup, type Victim, variables } from "./points.ts";

const root = join(import.meta.dirname, "..", "..");
const hook = pathToFileURL(join(import.meta.dirname, "blob-steps.fixture.ts")).href;
const program = join(import.meta.dirname, "engine.fixture.ts");
const markName = "GODWIT_TEST_MARK";

/** A process that has not ended after this hangs. */
const processTimeoutMs = 120_000;

export type Plan = {
  readonly point: Point | null;
  readonly victim: Victim;
  /** Where the processes that resume it are killed; one more comes to the end. */
  readonly onResume: readonly Point[];
};

export type Verdict = {
  /** False: the process came to its end before it came to the point. */
  readonly isReached: boolean;
  readonly kills: readonly string[];
  /** What is wrong; empty: nothing was lost. */
  readonly problems: readonly string[];
};

/** Where trials are made. */
export type Course = {
  /** Of the undisturbed run: what can be tried. */
  readonly totals: PointTotals;
  try(plan: Plan): Promise<Verdict>;
  remove(): void;
};

/** Prepares what trials share, and makes the undisturbed one. */
export async function openCourse(): Promise<Course> {
  const dir = mkdtempSync(join(tmpdir(), "godwit-crash-"));
  try {
    await prepare(dir);
    const undisturbed = new Trial(dir, null);
    const { problems } = await undisturbed.run({ point: null, victim: "engine", onResume: [] });
    if (problems.length > 0) throw new Error(`The undisturbed run is not as it should be:\n${problems.join("\n")}`);
    const { totals, ending } = undisturbed;
    undisturbed.remove();
    if (totals === null || ending === null) throw new Error("The undisturbed run has told no points.");
    return {
      totals,
      try: async (plan) => {
        const trial = new Trial(dir, ending);
        try {
          return await trial.run(plan);
        } finally {
          trial.remove();
        }
      },
      remove: () => rmSync(dir, { recursive: true, force: true }),
    };
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

/** The code bundle is stored and described once; a trial begins with a copy. */
async function prepare(dir: string): Promise<void> {
  const projectDir = join(dir, "project");
  mkdirSync(join(projectDir, "node_modules"), { recursive: true });
  symlinkSync(join(root, "node_modules", "zod"), join(projectDir, "node_modules", "zod"));
  writeFileSync(join(projectDir, "package.json"), JSON.stringify({ name: "crash", type: "module", version: "1.0.0" }));
  const file = join(projectDir, "every.ts");
  cpSync(join(root, "test", "fixtures", "pipelines", "every.ts"), file);
  const { bundleFile, storeBundle } = await import("../../src/sdk/bundle.ts");
  const godwit = await openGodwit({ dataDir: join(dir, "template"), workers: 1 });
  const digest = await storeBundle(await bundleFile(file, projectDir, { memoDir: join(dir, "memo") }), godwit.blobs);
  const manifest = await godwit.describe(digest, projectDir);
  await godwit.close();
  const setup: Setup = { manifest, source: { file, projectDir } };
  writeFileSync(join(dir, "setup.json"), JSON.stringify(setup));
}

class Trial {
  readonly #course: string;
  readonly #expected: Ending | null;
  readonly #dir: string;
  readonly #dataDir: string;
  readonly #journal: string;
  readonly #mark = randomUUID();
  /** At each kill. */
  readonly #accepted: Progress[] = [];
  #starts = 0;
  ending: Ending | null = null;
  totals: PointTotals | null = null;

  constructor(course: string, expected: Ending | null) {
    this.#course = course;
    this.#expected = expected;
    this.#dir = mkdtempSync(join(course, "trial-"));
    this.#dataDir = join(this.#dir, ".godwit");
    this.#journal = join(this.#dir, "journal");
    cpSync(join(course, "template"), this.#dataDir, { recursive: true });
    writeFileSync(this.#journal, "");
  }

  async run(plan: Plan): Promise<Verdict> {
    const kills: string[] = [];
    const problems: string[] = [];
    let isReached = false;
    for (const [index, point] of [plan.point, ...plan.onResume, null].entries()) {
      const { code, signal, output, isKilled } = await this.#start(point, index === 0 ? plan.victim : "engine");
      if (isKilled) kills.push(pointText(point as Point));
      if (index === 0) isReached = isKilled;
      if (code === 0 && signal === null) break;
      if (signal !== "SIGKILL" || !isKilled) {
        problems.push(`A process ended by itself, with ${signal ?? code}: ${output}`);
        break;
      }
    }
    problems.push(...(await this.#problems()));
    return { isReached, kills, problems };
  }

  remove(): void {
    for (const pid of processesWith(markName, this.#mark)) process.kill(pid, "SIGKILL");
    rmSync(this.#dir, { recursive: true, force: true });
  }

  async #start(point: Point | null, victim: Victim) {
    this.#starts += 1;
    const countDir = join(this.#dir, `counts-${this.#starts}`);
    mkdirSync(countDir);
    const child = spawn(
      process.execPath,
      ["--conditions=source", program, this.#dataDir, join(this.#course, "setup.json")],
      {
        cwd: join(this.#course, "project"),
        env: {
          ...process.env,
          NODE_OPTIONS: `--import=${hook}`,
          NODE_COMPILE_CACHE: join(this.#course, "compiled"),
          JOURNAL: this.#journal,
          FIXED: join(this.#dir, "fixed"),
          [markName]: this.#mark,
          [variables.point]: point === null ? "" : pointText(point),
          [variables.victim]: victim,
          [variables.countDir]: countDir,
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let isHanging = false;
    const timer = setTimeout(() => {
      isHanging = true;
      child.kill("SIGKILL");
    }, processTimeoutMs);
    const [stdout, stderr, [code, signal]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, "close") as Promise<[number | null, NodeJS.Signals | null]>,
    ]);
    clearTimeout(timer);
    const isKilled = !isHanging && existsSync(join(countDir, "killed"));
    // The guards of its workers need a moment.
    await until(() => processesWith(markName, this.#mark).length === 0, "every process of the trial has ended");
    if (isKilled && signal === "SIGKILL") this.#accepted.push(await progressOf(this.#dataDir, this.#journal));
    const totals = join(countDir, "totals.json");
    if (existsSync(totals)) this.totals = JSON.parse(readFileSync(totals, "utf8"));
    return { code, signal, isKilled, output: isHanging ? "it hung" : `${stdout}${stderr}` };
  }

  async #problems(): Promise<readonly string[]> {
    this.ending = await endingOf(this.#dataDir);
    const lines = readFileSync(this.#journal, "utf8").split("\n").filter(Boolean);
    return [
      ...(await leftovers(this.#dataDir)),
      ...repeats(lines, this.#accepted, this.ending),
      ...(this.#expected === null ? [] : differences(this.#expected, this.ending)),
    ];
  }
}

function differences(expected: Ending, found: Ending): readonly string[] {
  const names = new Set([...Object.keys(expected.compared), ...Object.keys(found.compared)]);
  return [...names].flatMap((name) => {
    const [before, after] = [expected.compared[name], found.compared[name]];
    return before === after ? [] : [`${name} should be\n    ${before}\n  but is\n    ${after}`];
  });
}
