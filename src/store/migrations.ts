// The tables, version by version. A database remembers how many of these steps it has taken; a step
// that has been released is never edited: a new one follows it.
//
// Constraints refuse rows that core cannot make, so that a bug stops at the database. The numbers in
// them are those of sql.ts: the last phases are 5 to 9, success is 5 or 6, a lease is in 2 or 3.

// Rows refer to an action by its short integer id, not by its name of 25 letters: `action.parent`,
// `attempt.action`, `count.parent`. Ids follow the order of insertion, so new rows are appended, and
// the one index with random keys, (run, name), stays small.
const actionTable = `
  create table action (
    id integer primary key,
    run integer not null references run (id),
    name text not null,
    parent integer references action (id),
    depth integer not null check (depth >= 0),
    type integer not null check (type between 0 and 2),
    phase integer not null check (phase between 0 and 9),
    attempt integer not null check (attempt >= 0),
    user_failures integer not null check (user_failures >= 0),
    system_failures integer not null check (system_failures >= 0),
    interruptions integer not null check (interruptions >= 0),
    ready_at_ms integer not null,
    due_at_ms integer,
    created_at_ms integer not null,
    started_at_ms integer,
    attempt_started_at_ms integer,
    ended_at_ms integer,
    revision integer not null check (revision > 0),
    cache_status integer check (cache_status between 0 and 3),
    owner text,
    label text not null,
    call_group text,
    identity any not null,
    spec any,
    inputs_hash any not null,
    cache_key any,
    reused_from text,
    error text,
    inputs text not null,
    outputs text,
    constraint only_the_root_has_no_parent check ((parent is null) = (depth = 0)),
    constraint ended_in_a_last_phase check ((phase >= 5) = (ended_at_ms is not null)),
    constraint nothing_due_after_the_end check (phase < 5 or due_at_ms is null),
    constraint success_has_outputs check ((phase in (5, 6)) = (outputs is not null)),
    constraint leased_while_running check (owner is null or phase in (2, 3))
  ) strict;

  create unique index action_name on action (run, name);
  create unique index action_root on action (run) where parent is null;
  create unique index action_revision on action (run, revision);
  create index action_child_revision on action (parent, revision) where parent is not null;
  create index action_listing on action (run, type, phase, created_at_ms);
  create index action_child_listing on action (parent, type, phase, created_at_ms) where parent is not null;
  create index action_claim on action (run, depth desc, ready_at_ms) where phase = 0;
  create index action_due on action (run, due_at_ms) where due_at_ms is not null;
  create index action_lease on action (run, owner) where owner is not null;
  create index action_wait on action (cache_key, created_at_ms) where phase = 1;
`;

const runTable = `
  create table run (
    id integer primary key check (id > 0),
    project text not null,
    domain text not null,
    name text not null,
    task text not null,
    bundle any not null,
    source_file text not null,
    project_dir text not null,
    phase integer not null check (phase between 0 and 9),
    created_at_ms integer not null,
    ended_at_ms integer,
    caller text not null,
    owner text,
    abort_reason text,
    recovers_run integer,
    recovers_name text,
    overwrites_cache integer not null check (overwrites_cache in (0, 1)),
    revision integer not null check (revision > 0),
    -- The last revision given to any row of the run. Apart from the row's own, so that commits of
    -- actions do not refuse an update of the run.
    last_revision integer not null,
    constraint ended_in_a_last_phase check ((phase >= 5) = (ended_at_ms is not null)),
    constraint recovers_wholly check ((recovers_run is null) = (recovers_name is null)),
    constraint counted check (last_revision >= revision)
  ) strict;

  create unique index run_name on run (project, domain, name);
  create index run_listing on run (project, domain, phase, created_at_ms);
  create index run_task_listing on run (project, domain, task, phase, created_at_ms);
`;

const smallTables = `
  -- Of the whole run where parent is 0.
  create table phase_count (
    run integer not null,
    parent integer not null,
    phase integer not null,
    n integer not null check (n >= 0),
    primary key (run, parent, phase)
  ) strict, without rowid;

  create table attempt (
    action integer not null references action (id),
    attempt integer not null check (attempt > 0),
    phase integer not null check (phase between 0 and 2),
    started_at_ms integer not null,
    ended_at_ms integer not null,
    error text,
    primary key (action, attempt)
  ) strict, without rowid;

  create table attachment (
    action integer not null references action (id),
    kind integer not null check (kind between 0 and 2),
    attempt integer not null,
    at_ms integer not null,
    text text not null,
    primary key (action, kind)
  ) strict, without rowid;

  create table document (digest any not null primary key, text text not null) strict;

  create table cache_entry (
    cache_key any not null primary key,
    project text not null,
    domain text not null,
    task text not null,
    run integer not null,
    run_name text not null,
    action text not null,
    spec any not null,
    input_hashes text not null,
    outputs text not null,
    created_at_ms integer not null
  ) strict;

  create index cache_entry_listing on cache_entry (project, domain, created_at_ms);
  create index cache_entry_task_listing on cache_entry (project, domain, task, created_at_ms);

  create table reservation (cache_key any not null primary key, run integer not null, action text not null)
    strict, without rowid;

  create table sweep (run integer not null, name text not null, primary key (run, name)) strict, without rowid;

  create table engine (id text not null primary key, pid integer not null, host text not null,
    started_at_ms integer not null) strict;
`;

// Actions wait in lanes, see store.ts; those of older files are all in lane 0.
const lanes = `
  alter table run add column priority integer not null default 0;
  alter table run add column max_concurrency integer check (max_concurrency > 0);

  alter table action add column oom_failures integer not null default 0 check (oom_failures >= 0);
  alter table action add column priority integer not null default 0;
  alter table action add column lane integer not null default 0;
  drop index action_claim;
  create index action_claim on action (run, lane, priority desc, depth desc, ready_at_ms) where phase = 0;
  drop index action_child_revision;

  -- Listings: an action enters and leaves one list of the active, enters one of the ended, and is not
  -- touched while it goes from phase to phase in between. Phases that few have are lists of their own,
  -- and the leased are found by their lease.
  drop index action_listing;
  drop index action_child_listing;
  drop index action_lease;
  create index action_lease on action (run, owner, created_at_ms) where owner is not null;
  create index action_active on action (run, type, created_at_ms) where ended_at_ms is null;
  create index action_child_active on action (parent, type, created_at_ms) where ended_at_ms is null;
  create index action_ended on action (run, type, phase, created_at_ms) where ended_at_ms is not null;
  create index action_child_ended on action (parent, type, phase, created_at_ms) where ended_at_ms is not null;
  create index action_rare on action (run, type, phase, created_at_ms)
    where phase = 1 or phase = 2 or phase = 4 or (phase = 3 and owner is null);
  create index action_child_rare on action (parent, type, phase, created_at_ms)
    where phase = 1 or phase = 2 or phase = 4 or (phase = 3 and owner is null);

  -- JSON: amounts by resource; and what it says of itself.
  alter table engine add column held text not null default '{}';
  alter table engine add column status text;
`;

// Runs say where they come from, and what the control plane keeps beside them has a table.
const records = `
  alter table run add column updated_at_ms integer not null default 0;
  update run set updated_at_ms = coalesce(ended_at_ms, created_at_ms);
  -- JSON: labels and origin.
  alter table run add column details text not null default '{}' check (json_valid(details));

  -- Newer ones have higher ids, also of one millisecond.
  create table record (
    id integer primary key,
    kind integer not null check (kind >= 0),
    project text not null,
    domain text not null,
    name text not null,
    version text not null,
    text text not null check (json_valid(text)),
    created_at_ms integer not null,
    updated_at_ms integer not null,
    due_at_ms integer,
    revision integer not null check (revision > 0)
  ) strict;

  create unique index record_key on record (kind, project, domain, name, version);
  create index record_listing on record (kind, created_at_ms);
  create index record_domain_listing on record (kind, project, domain, created_at_ms);
  create index record_name_listing on record (kind, project, domain, name, created_at_ms);
  create index record_due on record (kind, due_at_ms) where due_at_ms is not null;
`;

// Servers look for what nobody serves.
const activeRuns = "create index run_active on run (owner, created_at_ms) where ended_at_ms is null;";

export const migrations: readonly string[] = [runTable + actionTable + smallTables, lanes, records, activeRuns];

/** The version that this Godwit writes. */
export const schemaVersion = migrations.length;
