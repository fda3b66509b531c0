// Reads of runs and of what stands beside actions (store.ts R5).
import type { ActionKey } from "../core/action.ts";
import type { Run } from "../core/run.ts";
import type { Connection } from "./connection.ts";
import { attachmentCodes, digestColumn, digestOf } from "./sql.ts";
import type { Attachment } from "./store.ts";
import { attachmentValue, attemptOf, runOf, selectAttachment, selectAttempts, selectRuns } from "./tables.ts";

const runByName = `${selectRuns} where project = ? and domain = ? and name = ?`;
const runById = `${selectRuns} where id = ?`;

export function run(connection: Connection, project: string, domain: string, name: string): Run | null {
  const row = connection.first(runByName, project, domain, name);
  return row === null ? null : runOf(row);
}

export const runsById = (connection: Connection, ids: readonly number[]): readonly Run[] =>
  connection.reading(() => ids.flatMap((id) => connection.all(runById, id).map(runOf)));

export const lastRevision = (connection: Connection, run: number): number =>
  connection.number("select last_revision from run where id = ?", run) ?? 0;

/** An action has at most as many as its budgets and `maxInterruptions` allow. */
export const attempts = (connection: Connection, { run, name }: ActionKey) =>
  connection.all(selectAttempts, run, name).map(attemptOf);

export const attachments = (connection: Connection, keys: readonly ActionKey[], kind: Attachment["kind"]) =>
  connection.reading(() =>
    keys.flatMap(({ run, name }) =>
      connection.all(selectAttachment, run, name, attachmentCodes[kind]).map(attachmentValue),
    ),
  );

export function documents(connection: Connection, digests: readonly string[]): ReadonlyMap<string, string> {
  const sql = "select digest, text from document where digest = ?";
  const rows = connection.reading(() => digests.flatMap((digest) => connection.all(sql, digestColumn(digest))));
  return new Map(rows.map(([digest, text]) => [digestOf(digest), text as string]));
}

const sweepsOfRuns = `select s.run, s.name from json_each(?) wanted cross join sweep s
  where s.run = wanted.value limit ?`;

export const sweeps = (connection: Connection, runIds: readonly number[], limit: number): readonly ActionKey[] =>
  connection
    .all(sweepsOfRuns, JSON.stringify(runIds), limit)
    .map(([run, name]) => ({ run: run as number, name: name as string }));
