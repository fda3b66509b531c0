// Projects: the namespaces of everything. A project has the same domains as every other. Two are there from
// the first: the command line's own, and the one that clients of Flyte are used to.
import { GodwitError, isGodwitError } from "../core/error.ts";
import { checkLabel, didYouMean } from "../core/names.ts";
import type { Labels } from "../core/run.ts";
import type { RecordKey, StoreRecord } from "../store/store.ts";
import type { Page, Scope } from "./answers.ts";
import type { Parts } from "./parts.ts";
import { changedRecord, decide, documentOf, newRecord, type Paging, readRecord, recordPage } from "./records.ts";

export const domains = ["development", "staging", "production"] as const;

export type Project = {
  /** Its name in keys, paths and addresses. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  readonly description: string;
  readonly labels: Labels;
  /** Archived: as it was, but not offered any more. */
  readonly state: "active" | "archived";
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

export type NewProject = Pick<Project, "id"> & Partial<Pick<Project, "name" | "description" | "labels">>;

export type ProjectListing = Paging & {
  readonly state?: Project["state"];
  readonly order: "name" | "newest" | "oldest";
};

export interface Projects {
  /** Refused with `already_exists`. */
  create(project: NewProject): Promise<Project>;
  /** What is left out stays. */
  update(id: string, change: Partial<Pick<Project, "name" | "description" | "labels" | "state">>): Promise<Project>;
  get(id: string): Promise<Project>;
  list(listing: ProjectListing): Promise<Page<Project>>;
  /** Throws `not_found` unless there are such a project and domain. */
  check(scope: Pick<Scope, "project" | "domain">): Promise<void>;
  /** As `check`, for what may belong to all projects or domains: "" is all. */
  checkLevel(scope: Pick<Scope, "project" | "domain">): Promise<void>;
}

/** Projects that are known to be there: they never go away. */
const maxKnown = 1_000;
/** Of which names are looked through for a similar one. */
const maxSimilar = 200;
const maxDescription = 1_000;
const maxLabels = 100;

type Document = Pick<Project, "name" | "description" | "labels" | "state">;

const keyOf = (id: string): RecordKey => ({ kind: "project", project: "", domain: "", name: id, version: "" });

const projectOf = (record: StoreRecord): Project => ({
  id: record.name,
  ...documentOf<Document>(record),
  createdAtMs: record.createdAtMs,
  updatedAtMs: record.updatedAtMs,
});

const seeds: readonly NewProject[] = [
  { id: "default", description: "What belongs to no other project." },
  { id: "flytesnacks", description: "Flyte's examples." },
];

const recordOf = ({ id, name = id, description = "", labels = {} }: NewProject, nowMs: number): StoreRecord =>
  newRecord(keyOf(id), { name, description, labels, state: "active" } satisfies Document, nowMs);

export function openProjects(parts: Parts): Projects {
  const known = new Set<string>();
  let seeding: Promise<void> | null = null;
  const seeded = (): Promise<void> => {
    seeding ??= seed(parts).catch((error) => {
      seeding = null;
      throw error;
    });
    return seeding;
  };
  const stored = async (id: string): Promise<StoreRecord> => {
    await seeded();
    const record = await readRecord(parts, keyOf(id));
    return record ?? unknown(parts, id);
  };
  const checkProject = async (id: string): Promise<void> => {
    if (known.has(id)) return;
    await stored(id);
    if (known.size >= maxKnown) known.clear();
    known.add(id);
  };
  return {
    create: async (project) => {
      await seeded();
      checkLabel("project", project.id);
      checkWords(project);
      const record = recordOf(project, parts.nowMs());
      if ((await parts.store.commit([{ type: "putRecord", record }])).type === "committed") return projectOf(record);
      throw new GodwitError("already_exists", `There is already a project "${project.id}". Take another id.`);
    },
    update: async (id, change) => {
      checkWords(change);
      return decide(parts, async () => {
        const record = await stored(id);
        const next = changedRecord(record, { ...documentOf<Document>(record), ...change }, parts.nowMs());
        return { changes: [{ type: "putRecord", record: next }], answer: projectOf(next) };
      });
    },
    get: async (id) => projectOf(await stored(id)),
    list: async ({ state, order, ...paging }) => {
      await seeded();
      const { items, token } = await recordPage(parts, { kind: "project", project: "", domain: "", order }, paging);
      const projects = items.map(projectOf);
      return { items: state === undefined ? projects : projects.filter((each) => each.state === state), token };
    },
    check: async ({ project, domain }) => {
      checkDomain(domain);
      await checkProject(project);
    },
    checkLevel: async ({ project, domain }) => {
      if (domain !== "") checkDomain(domain);
      if (project !== "") await checkProject(project);
    },
  };
}

async function seed(parts: Parts): Promise<void> {
  const there = await parts.store.records(seeds.map(({ id }) => keyOf(id)));
  for (const project of seeds) {
    if (there.some(({ name }) => name === project.id)) continue;
    try {
      // Another process may do the same.
      await parts.store.commit([{ type: "putRecord", record: recordOf(project, parts.nowMs()) }]);
    } catch (error) {
      // On a disk that can only be read, what is there can still be seen.
      if (!isGodwitError(error) || error.code !== "permission_denied") throw error;
    }
  }
}

export function checkDomain(domain: string): void {
  if ((domains as readonly string[]).includes(domain)) return;
  const hint = didYouMean(domain, domains);
  throw new GodwitError("not_found", `There is no domain "${domain}".${hint} There are: ${domains.join(", ")}.`);
}

function checkWords({ name = "", description = "", labels = {} }: Partial<Project>): void {
  const texts = [name, description, ...Object.entries(labels).flat()];
  if (texts.every((text) => text.length <= maxDescription) && Object.keys(labels).length <= maxLabels) return;
  throw new GodwitError(
    "invalid_argument",
    `The name, the description and each label of a project may have ${maxDescription} characters; ${maxLabels} labels are possible.`,
  );
}

async function unknown(parts: Parts, id: string): Promise<never> {
  const listing = { kind: "project", project: "", domain: "", order: "newest" } as const;
  const { items } = await parts.store.listRecords(listing, maxSimilar);
  const names = items.map(({ name }) => name);
  throw new GodwitError("not_found", `There is no project "${id}".${didYouMean(id, names)} Create it first.`);
}
