// Every row that needs bytes outside of the database, a page at a time, over all runs and projects.
import type { Phase } from "../core/action.ts";
import type { Checkpoint } from "../core/messages.ts";
import type { Payload } from "../core/value.ts";
import type { Connection } from "./connection.ts";
import { deployedSpec } from "./invariants.ts";
import { attachmentOf, digestOf, phaseOf, type Row, recordCodes } from "./sql.ts";
import { payloadOf } from "./store.ts";

export type Reference = {
  readonly by: "code" | "deployed code" | "inputs" | "outputs" | "checkpoint" | "report" | "cache entry";
  readonly project: string;
  readonly domain: string;
  readonly run: number;
  readonly runName: string;
  readonly runPhase: Phase | null;
  /** Null for code. Of deployed code there is no run: its name is that of the version. */
  readonly action: string | null;
  readonly label: string;
  readonly needs:
    | { readonly type: "payload"; readonly payload: Payload }
    | { readonly type: "blob"; readonly digest: string }
    /** A manifest and the files it names. */
    | { readonly type: "directory"; readonly digest: string };
  /** Of a cache entry. */
  readonly cacheKey: string | null;
};

/** Where the next page begins. */
export type ReferencePlace = { readonly part: number; readonly after: number };

export type ReferencePage = { readonly items: readonly Reference[]; readonly next: ReferencePlace | null };

type Part = { readonly query: string; readonly read: (row: Row) => readonly Reference[] };

// Only what may name a blob is read: most literals are plain values.
const mayName = (column: string): string =>
  `(${column} like '#%' or instr(${column}, '"hash":') > 0 or instr(${column}, '"blobs":') > 0)`;

const runColumns = "r.project, r.domain, r.id, r.name, r.phase";

const ofRun = (row: Row) => ({
  project: row[1] as string,
  domain: row[2] as string,
  run: row[3] as number,
  runName: row[4] as string,
  runPhase: phaseOf(row[5]),
  cacheKey: null,
});

// The first column is the place; the others are those of the run, then the part's own.
const parts: readonly Part[] = [
  {
    // Where the code is no bundle, as that of other SDKs' tasks, the digest is that of the task's spec: a document.
    query: `select r.id, ${runColumns}, r.task, r.bundle from run r
      where r.id > ? and not exists (select 1 from document d where d.digest = r.bundle) order by r.id limit ?`,
    read: (row) => [
      {
        ...ofRun(row),
        by: "code",
        action: null,
        label: row[6] as string,
        needs: { type: "directory", digest: digestOf(row[7]) },
      },
    ],
  },
  {
    query: `select a.id, ${runColumns}, a.name, a.label, a.inputs, a.outputs from action a join run r on r.id = a.run
      where a.id > ? and (${mayName("a.inputs")} or ${mayName("a.outputs")}) order by a.id limit ?`,
    read: (row) =>
      (["inputs", "outputs"] as const).flatMap((by, index) => {
        const text = row[8 + index];
        if (typeof text !== "string") return [];
        const needs = { type: "payload", payload: payloadOf(text) } as const;
        return [{ ...ofRun(row), by, action: row[6] as string, label: row[7] as string, needs }];
      }),
  },
  {
    query: `select a.id, ${runColumns}, a.name, a.label, c.text, p.text
      from action a join run r on r.id = a.run
        left join attachment c on c.action = a.id and c.kind = 0 left join attachment p on p.action = a.id and p.kind = 1
      where a.id > ? and coalesce(c.text, p.text) is not null order by a.id limit ?`,
    read: (row) =>
      [0, 1].flatMap((kind) => {
        const text = row[8 + kind];
        if (typeof text !== "string") return [];
        const by = attachmentOf(kind) as "checkpoint" | "report";
        const { type, digest } = JSON.parse(text) as Partial<Checkpoint> & { readonly digest: string };
        const needs = { type: type === "directory" ? "directory" : "blob", digest } as const;
        return [{ ...ofRun(row), by, action: row[6] as string, label: row[7] as string, needs }];
      }),
  },
  {
    query: `select rowid, project, domain, run, run_name, null, action, task, outputs, cache_key from cache_entry
      where rowid > ? and ${mayName("outputs")} order by rowid limit ?`,
    read: (row) => [
      {
        ...ofRun(row),
        runPhase: null,
        by: "cache entry",
        action: row[6] as string,
        label: row[7] as string,
        needs: { type: "payload", payload: payloadOf(row[8] as string) },
        cacheKey: digestOf(row[9]),
      },
    ],
  },
  {
    query: `select v.id, v.project, v.domain, 0, v.version, null, v.name, json_extract(d.text, '$.target.bundle.digest')
      from record v join document d on d.digest = ${deployedSpec}
      where v.id > ? and v.kind = ${recordCodes.taskVersion}
        and json_extract(d.text, '$.target.bundle.digest') is not null order by v.id limit ?`,
    read: (row) => [
      {
        ...ofRun(row),
        runPhase: null,
        by: "deployed code",
        action: null,
        label: row[6] as string,
        needs: { type: "directory", digest: row[7] as string },
      },
    ],
  },
];

export const firstReference: ReferencePlace = { part: 0, after: 0 };

export function references(connection: Connection, place: ReferencePlace, limit: number): ReferencePage {
  const part = parts[place.part];
  if (part === undefined) return { items: [], next: null };
  const rows = connection.all(part.query, place.after, limit);
  const last = rows.at(-1);
  const isEnd = last === undefined || rows.length < limit;
  return {
    items: rows.flatMap(part.read),
    next: isEnd ? { part: place.part + 1, after: 0 } : { part: place.part, after: last[0] as number },
  };
}
