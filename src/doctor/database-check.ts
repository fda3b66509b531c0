// Is the database sound; and if not, the nearest sound one that can be made of it.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isGodwitError } from "../core/error.ts";
import { fileDamage, type Salvage, salvage } from "../store/salvage.ts";
import { type DatabaseDamage, openUpkeep, type Upkeep } from "../store/upkeep.ts";
import { abridged, type Finding, good, problem, repaired } from "./finding.ts";

export type DatabaseCheck = {
  readonly findings: readonly Finding[];
  /** Null: it must not be opened, or cannot be. */
  readonly upkeep: Upkeep | null;
};

type Where = { readonly dataDir: string; readonly repairs: boolean; readonly nowMs: number };

const check = "database";
const repairNext = "godwit doctor --repair saves what can be read, and keeps the damaged file";

export function checkDatabase(where: Where): DatabaseCheck {
  const path = databasePath(where.dataDir);
  const wrong = fileDamage(path) ?? absence(where.dataDir);
  if (wrong !== null) return saved(where, [wrong]);
  if (!existsSync(path)) return { findings: [good(check, "none yet")], upkeep: null };
  let upkeep: Upkeep;
  try {
    upkeep = openUpkeep(path);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (isGodwitError(error) && error.code === "data_loss") return saved(where, [text]);
    return {
      findings: [problem(check, text, "See the message; the data directory has not been touched.")],
      upkeep: null,
    };
  }
  try {
    return examined(where, upkeep);
  } catch (error) {
    upkeep.close();
    if (!isGodwitError(error) || error.code !== "data_loss") throw error;
    return saved(where, [error.message]);
  }
}

const databasePath = (dataDir: string): string => join(dataDir, "godwit.db");

/** Bytes are stored after the database was made: without it, it was lost. */
export function absence(dataDir: string): string | null {
  const path = databasePath(dataDir);
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > 0) return null;
  const blobs = join(dataDir, "blobs");
  const hasBlobs = existsSync(blobs) && readdirSync(blobs).some((name) => /^[0-9a-f]{2}$/.test(name));
  return hasBlobs ? `The database ${path} is missing or empty, but results of runs lie in ${blobs}.` : null;
}

function examined(where: Where, upkeep: Upkeep): DatabaseCheck {
  const damages = upkeep.damages();
  if (damages.length === 0) return { findings: [good(check, "sound")], upkeep };
  const ofStructure = damages.filter(({ of }) => of === "structure");
  if (ofStructure.length > 0) return structure(where, upkeep, ofStructure);
  return { findings: rows(where, upkeep, damages), upkeep };
}

function structure(where: Where, upkeep: Upkeep, damages: readonly DatabaseDamage[]): DatabaseCheck {
  const texts = damages.map(({ text }) => text);
  if (where.repairs && indexesOnly(upkeep)) {
    const text = `Its indexes did not fit its rows, and were built anew: ${texts.slice(0, 3).join("; ")}`;
    return { findings: [repaired(check, text), ...examined(where, upkeep).findings], upkeep };
  }
  upkeep.close();
  return saved(where, texts);
}

/** Building them anew touches no row, so it may be tried. */
function indexesOnly(upkeep: Upkeep): boolean {
  try {
    return upkeep.rebuildIndexes();
  } catch {
    return false; // It is the rows that cannot be read.
  }
}

function rows({ repairs }: Where, upkeep: Upkeep, damages: readonly DatabaseDamage[]): readonly Finding[] {
  if (!repairs) {
    const told = damages.map(({ text, canMend, next }) =>
      problem(check, text, canMend ? `godwit doctor --repair ${next}` : next),
    );
    return abridged(told);
  }
  const mended = upkeep.mendRows().map((text) => repaired(check, text));
  const left = upkeep.damages().map(({ text, next }) => problem(check, text, next));
  return [...abridged(mended), ...abridged(left)];
}

function saved(where: Where, wrong: readonly string[]): DatabaseCheck {
  const text = `The database is damaged: ${wrong.slice(0, 5).join("; ")}`;
  if (!where.repairs) return { findings: [problem(check, text, repairNext)], upkeep: null };
  const path = databasePath(where.dataDir);
  try {
    const result = salvage(path, join(where.dataDir, "damaged", `database-${where.nowMs}`));
    const upkeep = openUpkeep(path);
    const left = upkeep.damages().map((damage) => problem(check, damage.text, damage.next));
    return { findings: [repaired(check, `${text} ${salvageText(result)}`, salvageNext(result)), ...left], upkeep };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { findings: [problem(check, `${text} It was not repaired: ${message}`, "See the message.")], upkeep: null };
  }
}

function salvageText({ copied, gaps, keptIn }: Salvage): string {
  const counts = `${copied.run ?? 0} runs and ${copied.action ?? 0} actions were saved into a new file`;
  const lost = gaps === 0 ? "all rows could be read" : `${gaps} stretches of rows could not be read`;
  return `${counts}; ${lost}. The damaged file is kept in ${keptIn}.`;
}

function salvageNext({ gaps, incompleteRuns }: Salvage): string | null {
  if (gaps === 0) return null;
  const some = incompleteRuns.slice(0, 10).join(", ");
  const which = some === "" ? "Runs that lack actions" : `Runs that lack actions (${some})`;
  return `${which} compute them again: godwit resume RUN, or godwit rerun RUN --recover if it has ended.`;
}
