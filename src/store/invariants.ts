// What always holds between rows that are kept beside each other, how to find where it does not, and
// the statements that put it right from the rows that are to be believed.
import { phaseOf, type Row, recordCodes } from "./sql.ts";

export type Invariant = {
  /** Rows that break it, some at a time. */
  readonly broken: string;
  readonly say: (row: Row) => string;
  /** In order; empty if the rows do not say what would be right. Each can be repeated. */
  readonly mend: readonly string[];
  /** What mending does, in words; or what the user can do. */
  readonly next: string;
};

// More would not tell more.
export const maxFindings = 100;

const counted = `select run, 0 as parent, phase, count(*) as n from action group by run, phase
  union all select run, parent, phase, count(*) from action where parent is not null group by run, parent, phase`;

const counts: Invariant = {
  broken: `select run, parent, phase, sum(counted), sum(kept) from (
      select run, parent, phase, n as counted, 0 as kept from (${counted})
      union all select run, parent, phase, 0, n from phase_count
    ) group by run, parent, phase having sum(counted) <> sum(kept)`,
  say: ([run, parent, phase, there, kept]) => {
    const where = parent === 0 ? `run ${run}` : `children of action ${parent} of run ${run}`;
    return `The count of ${phaseOf(phase)} actions in ${where} is kept as ${kept}, but there are ${there}.`;
  },
  mend: ["delete from phase_count", `insert into phase_count (run, parent, phase, n) ${counted}`],
  next: "counts the actions anew",
};

const revisions: Invariant = {
  broken: `select r.id from run r where r.last_revision < (select max(a.revision) from action a where a.run = r.id)`,
  say: ([run]) => `Run ${run} has actions of a later revision than its own counter.`,
  mend: [
    `update run set last_revision = (select max(a.revision) from action a where a.run = run.id)
      where last_revision < (select max(a.revision) from action a where a.run = run.id)`,
  ],
  next: "sets the counter to the last revision",
};

const roots: Invariant = {
  broken: "select r.name from run r where not exists (select 1 from action a where a.run = r.id and a.parent is null)",
  say: ([run]) => `Run ${run} has no root action.`,
  mend: [],
  next: "Start it anew under another name.",
};

const endedAsRoot = `from run r join action a on a.run = r.id and a.parent is null where a.phase <> r.phase`;

const runPhases: Invariant = {
  broken: `select r.name, r.phase, a.phase ${endedAsRoot}`,
  say: ([run, own, root]) => `Run ${run} is ${phaseOf(own)}, but its root action is ${phaseOf(root)}.`,
  mend: [
    `update run set (phase, ended_at_ms, updated_at_ms, revision, last_revision) =
        (select a.phase, a.ended_at_ms, coalesce(a.ended_at_ms, updated_at_ms), last_revision + 1, last_revision + 1 from action a
          where a.run = run.id and a.parent is null)
      where id in (select r.id ${endedAsRoot})`,
  ],
  next: "gives the run the phase of its root",
};

const unswept = `from action p where p.phase >= 5 and p.type = 0
    and exists (select 1 from action c where c.parent = p.id and c.phase < 5)
    and not exists (select 1 from sweep s where s.run = p.run and s.name = p.name)`;

const sweeps: Invariant = {
  broken: `select p.name, p.run ${unswept}`,
  say: ([name, run]) => `Action ${name} of run ${run} has ended, but calls of it have not, and nothing would end them.`,
  mend: [`insert into sweep (run, name) select p.run, p.name ${unswept}`],
  next: "has them ended when the run is resumed",
};

const straySweeps: Invariant = {
  broken: `select s.name, s.run from sweep s
    where not exists (select 1 from action a where a.run = s.run and a.name = s.name)`,
  say: ([name, run]) => `A sweep is planned below action ${name} of run ${run}, which is not there.`,
  mend: ["delete from sweep where not exists (select 1 from action a where a.run = sweep.run and a.name = sweep.name)"],
  next: "forgets the sweep",
};

const reservations: Invariant = {
  broken: `select v.action, v.run from reservation v
    where not exists (select 1 from action a where a.run = v.run and a.name = v.action and a.phase < 5)`,
  say: ([name, run]) => `A cache key is reserved for action ${name} of run ${run}, which does not work on it.`,
  mend: [
    `delete from reservation where not exists
      (select 1 from action a where a.run = reservation.run and a.name = reservation.action and a.phase < 5)`,
  ],
  next: "frees the key",
};

const leases: Invariant = {
  broken: `select a.name, a.run, a.owner from action a join run r on r.id = a.run where a.owner is not null
    and a.owner <> coalesce(r.owner, '') and a.owner not in (select id from engine)`,
  say: ([name, run, owner]) => `Action ${name} of run ${run} is leased to engine ${owner}, of which nothing is known.`,
  // Whoever resumes the run takes back what is leased to engines that are known to be dead.
  mend: [
    `insert into engine (id, pid, host, started_at_ms)
      select distinct a.owner, 0, '', 0 from action a join run r on r.id = a.run where a.owner is not null
        and a.owner <> coalesce(r.owner, '') and a.owner not in (select id from engine)`,
  ],
  next: "makes it known as dead, so that the action is taken back when the run is resumed",
};

const attempts: Invariant = {
  broken: `select a.name, a.run, t.attempt from attempt t join action a on a.id = t.action where t.attempt > a.attempt`,
  say: ([name, run, attempt]) =>
    `Action ${name} of run ${run} has a record of attempt ${attempt}, which it never made.`,
  mend: ["delete from attempt where attempt > (select a.attempt from action a where a.id = attempt.action)"],
  next: "removes the record",
};

const isText = (column: string): string =>
  `(substr(${column}, 1, 1) <> '#' and not json_valid(${column}) or length(${column}) <> 65 and substr(${column}, 1, 1) = '#')`;

const payloads: Invariant = {
  broken: `select name, run from action where ${isText("inputs")} or (outputs is not null and ${isText("outputs")})`,
  say: ([name, run]) => `The inputs or outputs of action ${name} of run ${run} cannot be read.`,
  mend: [],
  next: "Recover the run (godwit rerun RUN --recover): what cannot be read is computed again.",
};

const specs: Invariant = {
  broken: `select r.name, a.label, count(*) from action a join run r on r.id = a.run
    where a.spec is not null and not exists (select 1 from document d where d.digest = a.spec) group by r.name, a.label`,
  say: ([run, label, n]) => `The definition of ${label} in run ${run} is missing; ${n} actions need it.`,
  mend: [],
  next: "Run the same file again: that stores it anew.",
};

/** Of a record `v` of a version: the digest of its spec, as in the table of documents. */
export const deployedSpec = "unhex(json_extract(v.text, '$.digest'))";

const deployedSpecs: Invariant = {
  broken: `select v.name, v.version, v.project, v.domain from record v where v.kind = ${recordCodes.taskVersion}
    and not exists (select 1 from document d where d.digest = ${deployedSpec})`,
  say: ([name, version, project, domain]) =>
    `The definition of version ${version} of the task ${name}, deployed in ${project}/${domain}, is missing.`,
  mend: [],
  next: "Deploy the same file again under another version.",
};

const isNewestVersion = `v.kind = ${recordCodes.taskVersion} and v.project = t.project and v.domain = t.domain
  and v.name = t.name and v.version = json_extract(t.text, '$.version')`;

const isUnlisted = `v.kind = ${recordCodes.taskVersion} and not exists (select 1 from record t
  where t.kind = ${recordCodes.task} and t.project = v.project and t.domain = v.domain and t.name = v.name)`;

const newestVersions: Invariant = {
  broken: `select t.name, t.project, t.domain from record t where t.kind = ${recordCodes.task}
      and not exists (select 1 from record v where ${isNewestVersion})
    union select v.name, v.project, v.domain from record v where ${isUnlisted}`,
  say: ([name, project, domain]) =>
    `What is kept as the newest version of the task ${name} in ${project}/${domain} is none of its versions.`,
  mend: [
    `delete from record as t where t.kind = ${recordCodes.task} and not exists (select 1 from record v where ${isNewestVersion})`,
    `insert into record (kind, project, domain, name, version, text, created_at_ms, updated_at_ms, revision)
      select ${recordCodes.task}, v.project, v.domain, v.name, '', v.text, v.created_at_ms, v.updated_at_ms, 1 from record v
      where ${isUnlisted} and v.id = (select max(o.id) from record o
        where o.kind = v.kind and o.project = v.project and o.domain = v.domain and o.name = v.name)`,
  ],
  next: "takes the last that was deployed",
};

/** Those that a store itself keeps, whatever it is told to commit. */
export const ownInvariants: readonly Invariant[] = [counts, revisions, roots];

/** With those that its callers keep. */
export const invariants: readonly Invariant[] = [
  ...ownInvariants,
  runPhases,
  sweeps,
  straySweeps,
  reservations,
  leases,
  attempts,
  payloads,
  specs,
  deployedSpecs,
  newestVersions,
];
