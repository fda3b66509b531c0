// `npm run bench`: Godwit, its peers and the limit, in one run on this machine. See `usage` in options.ts.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { casesOfGodwit } from "./cases/cases.ts";
import { compare } from "./comparison.ts";
import { contestantsOf } from "./contestants.ts";
import type { Fact, Figure } from "./figures.ts";
import { diskVariable } from "./gauge.ts";
import { type Package, preparePackage } from "./godwit.ts";
import { describeMachine, isInMemory, measureSyncs, type SyncTimes } from "./machine.ts";
import { type Options, readOptions, type SystemName, usage } from "./options.ts";
import { comparisonText, factsText, legend, machineText, wordsText } from "./report.ts";
import { endAll, type Words } from "./system.ts";

async function main(options: Options): Promise<number> {
  const dir = mkdtempSync(join(options.dir, "godwit-bench-"));
  // Started by root, Postgres runs under another account, which has to get to its directory.
  chmodSync(dir, 0o711);
  // What was started ends with this process (godwit.ts, system.ts), also when it is told to stop.
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void endAll().then(() => process.exit(130)));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  return measureAll(options, dir);
}

async function measureAll(options: Options, dir: string): Promise<number> {
  const machine = describeMachine(dir);
  process.env[diskVariable] = machine.disk;
  if (isInMemory(machine)) note(`${dir} is in memory: nothing is synced there. Name another place with --dir.`);
  if (options.systems.some((name) => name === "dbos" || name === "restate")) installPeers();
  let prepared: Package | null = null;
  const godwit = (): Package => {
    prepared ??= preparePackage(dir, options.isFromSource);
    return prepared;
  };
  const figures: Figure[] = [];
  const syncs: SyncTimes[] = [];
  const words = new Map<SystemName, Words>();
  for (const contestant of contestantsOf(dir, godwit, options)) {
    syncs.push(measureSyncs(dir));
    const compared = await compare(contestant, options, ({ case: name, system, units, outcome }) =>
      note(
        `${system}, ${units}, ${name}: ${outcome.type === "missing" ? outcome.reason : `${Math.round(outcome.perSecond)}/s`}`,
      ),
    );
    figures.push(...compared.figures);
    if (compared.words !== null) words.set(contestant.name, compared.words);
  }
  const { facts, failures } = options.systems.includes("godwit")
    ? await casesOfGodwit({ dir, godwit: godwit(), options, note })
    : { facts: [] as readonly Fact[], failures: [] as readonly string[] };
  const texts = [machineText(machine, syncs)];
  if (words.size > 0) texts.push(wordsText(words));
  if (figures.length > 0) texts.push(comparisonText(figures), legend);
  if (facts.length > 0) texts.push(factsText(facts));
  console.log(`\n${[...texts, ...failures].join("\n\n")}`);
  if (options.json !== null) {
    const all = { machine, syncs, options, words: Object.fromEntries(words), figures, facts, failures };
    writeFileSync(options.json, `${JSON.stringify(all, null, 2)}\n`);
  }
  const hasFailed = figures.some(({ outcome }) => outcome.type === "missing" && /^(FAILED|NOT)/.test(outcome.reason));
  return hasFailed || failures.length > 0 ? 1 : 0;
}

/** Progress and complaints: stdout is for the tables. */
const note = (text: string): void => console.error(text);

/** The peers' packages have a folder and a lock of their own, so that whoever only uses Godwit is spared them. */
function installPeers(): void {
  const folder = join(import.meta.dirname, "peers");
  if (existsSync(join(folder, "node_modules"))) return;
  note("Installing the peers' packages (npm ci in bench/peers) …");
  try {
    // None of them needs its install script; one of Restate's only reports the installation.
    execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
  } catch {
    note("The peers could not be installed; they will be missing below.");
  }
}

const args = process.argv.slice(2);
if (args.includes("--help")) console.log(usage);
else {
  let options: Options | null = null;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${usage}`);
    process.exitCode = 2;
  }
  if (options !== null) process.exitCode = await main(options);
}
