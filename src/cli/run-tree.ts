// What a watcher keeps of a run, in bounded memory, whatever the run's size.
//
// R1  Counts of ended actions are exact: an action is told as ended once, and nothing leaves that phase.
// R2  A group (calls of one task by one parent) that grows past `foldAt` is folded: of its ended
//     members only the counts and a few failures stay, with everything below them.
// R3  Not more than `maxNodes` actions are remembered. Past it, queued ones are not taken in until they
//     run; the run's own counts, which come with every update, stay exact.
import { type Action, type ActionError, type ActionType, isSuccess, isTerminal, type Phase } from "../core/action.ts";
import { shortAction, storedInputs } from "./call-text.ts";
import { firstLine, printable } from "./text.ts";

export const foldAt = 12;
export const maxNodes = 100_000;
/** Past this many, what succeeded is shown without what it called. */
const maxEndedNodes = 2_000;
/** Actions told before their parent, which is told soon after. */
const maxEarly = 5_000;
const maxGroups = 100;
const maxFailures = 5;
const othersGroup = "(others)";

export type TreeNode = {
  readonly name: string;
  readonly parent: string | null;
  readonly type: ActionType;
  readonly label: string;
  /** For call-text.ts. */
  readonly inputs: string | null;
  phase: Phase;
  isCached: boolean;
  attempt: number;
  /** Of the budget that the last failure cost. */
  failures: { readonly kind: "user" | "system"; readonly count: number } | null;
  /** Attempts that ran out of memory and were followed by one with more. */
  oomFailures: number;
  createdAtMs: number;
  readyAtMs: number;
  startedAtMs: number | null;
  endedAtMs: number | null;
  error: string | null;
  readonly groups: Map<string, TreeGroup>;
};

export type TreeGroup = {
  readonly label: string;
  readonly members: Map<string, TreeNode>;
  /** Of all that were ever seen, R1. */
  readonly counts: Map<Phase, number>;
  cached: number;
  total: number;
  keptFailures: number;
};

/** What `apply` changed: `before` is null for an action that was not known. */
export type TreeChange = {
  readonly node: TreeNode;
  readonly group: TreeGroup | null;
  readonly before: Phase | null;
  readonly attemptBefore: number;
  readonly oomBefore: number;
};

export const isFolded = (group: TreeGroup): boolean => group.total > foldAt;

export class RunTree {
  root: TreeNode | null = null;
  /** Ended actions whose result came from the cache (R1). */
  cached = 0;
  readonly #nodes = new Map<string, TreeNode>();
  /** Children told before their parent. */
  readonly #early = new Map<string, Action[]>();
  #earlyCount = 0;

  get size(): number {
    return this.#nodes.size;
  }

  node(name: string): TreeNode | null {
    return this.#nodes.get(name) ?? null;
  }

  /** Null: nothing that is shown has changed. */
  apply(action: Action): TreeChange | null {
    const known = this.#nodes.get(action.name);
    if (isTerminal(action.phase) && action.cacheStatus === "hit") {
      if (known === undefined || !isTerminal(known.phase)) this.cached++;
    }
    return known === undefined ? this.#insert(action) : this.#update(known, action);
  }

  #insert(action: Action): TreeChange | null {
    if (action.parent === null) {
      const node = nodeOf(action);
      this.root = node;
      this.#nodes.set(node.name, node);
      this.#adopt(node.name);
      return { node, group: null, before: null, attemptBefore: 0, oomBefore: 0 };
    }
    const parent = this.#nodes.get(action.parent);
    if (parent === undefined) {
      this.#wait(action.parent, action);
      return null;
    }
    if (this.#nodes.size >= maxNodes && action.phase === "queued") return null;
    const node = nodeOf(action);
    const group = groupOf(parent, action);
    group.total++;
    addCount(group, node.phase, 1);
    if (isTerminal(node.phase) && node.isCached) group.cached++;
    group.members.set(node.name, node);
    this.#nodes.set(node.name, node);
    if (group.total === foldAt + 1) this.#fold(group);
    else if (isTerminal(node.phase)) this.#settle(node, group);
    this.#adopt(node.name);
    return { node, group, before: null, attemptBefore: 0, oomBefore: 0 };
  }

  #update(node: TreeNode, action: Action): TreeChange | null {
    const before = node.phase;
    const { attempt: attemptBefore, oomFailures: oomBefore } = node;
    fill(node, action);
    const parent = node.parent === null ? null : this.#nodes.get(node.parent);
    const group = parent == null ? null : memberGroup(parent, node);
    if (group !== null && before !== node.phase) {
      addCount(group, before, -1);
      addCount(group, node.phase, 1);
      if (isTerminal(node.phase)) {
        if (node.isCached) group.cached++;
        this.#settle(node, group);
      }
    }
    if (before === node.phase && attemptBefore === node.attempt) return null;
    return { node, group, before, attemptBefore, oomBefore };
  }

  /** An ended action: keeps of it what will be shown (R2). */
  #settle(node: TreeNode, group: TreeGroup): void {
    if (isFolded(group)) {
      const isFailure = node.phase === "failed" || node.phase === "timed_out";
      const isKept = isFailure && group.keptFailures < maxFailures;
      if (isKept) group.keptFailures++;
      else {
        this.#forget(node);
        group.members.delete(node.name);
        return;
      }
    }
    if (isSuccess(node.phase) && this.#nodes.size > maxEndedNodes) this.#forgetBelow(node);
  }

  #fold(group: TreeGroup): void {
    for (const member of [...group.members.values()]) if (isTerminal(member.phase)) this.#settle(member, group);
  }

  #forget(node: TreeNode): void {
    this.#nodes.delete(node.name);
    this.#dropEarly(node.name);
    this.#forgetBelow(node);
  }

  #forgetBelow(node: TreeNode): void {
    for (const group of node.groups.values()) {
      for (const member of group.members.values()) this.#forget(member);
    }
    node.groups.clear();
  }

  /** The oldest go first when there are too many: they may be children of what was forgotten. */
  #wait(parent: string, action: Action): void {
    const waiting = this.#early.get(parent);
    if (waiting === undefined) this.#early.set(parent, [action]);
    else waiting.push(action);
    this.#earlyCount++;
    for (const oldest of this.#early.keys()) {
      if (this.#earlyCount <= maxEarly) break;
      this.#dropEarly(oldest);
    }
  }

  #adopt(parent: string): void {
    const waiting = this.#dropEarly(parent);
    // Last told is newest; an older telling of the same action never comes after it.
    for (const action of waiting) {
      const known = this.#nodes.get(action.name);
      if (known === undefined) this.#insert(action);
      else this.#update(known, action);
    }
  }

  #dropEarly(parent: string): readonly Action[] {
    const waiting = this.#early.get(parent);
    if (waiting === undefined) return [];
    this.#early.delete(parent);
    this.#earlyCount -= waiting.length;
    return waiting;
  }
}

function nodeOf(action: Action): TreeNode {
  const node: TreeNode = {
    name: action.name,
    parent: action.parent,
    type: action.type,
    label: printable(action.label),
    inputs: action.parent === null ? null : storedInputs(action, action.inputs),
    phase: action.phase,
    isCached: false,
    attempt: 0,
    failures: null,
    oomFailures: 0,
    createdAtMs: action.createdAtMs,
    readyAtMs: action.readyAtMs,
    startedAtMs: null,
    endedAtMs: null,
    error: null,
    groups: new Map(),
  };
  fill(node, action);
  return node;
}

function fill(node: TreeNode, action: Action): void {
  node.phase = action.phase;
  node.isCached = action.cacheStatus === "hit";
  node.attempt = action.attempt;
  node.createdAtMs = action.createdAtMs;
  node.readyAtMs = action.readyAtMs;
  node.startedAtMs = action.startedAtMs;
  node.endedAtMs = action.endedAtMs;
  const { error } = action;
  node.error = error === null ? null : errorText(error, action.name);
  node.failures = failuresOf(action);
  node.oomFailures = action.oomFailures;
}

/** Of the budget that the last failure cost; of one that got over it, of the user's if there were any. */
function failuresOf({ error, userFailures, systemFailures }: Action): TreeNode["failures"] {
  const kind = error?.kind ?? (userFailures > 0 ? "user" : "system");
  const count = kind === "user" ? userFailures : systemFailures;
  return count === 0 && error === null ? null : { kind, count };
}

/** What went wrong is told where it began; who only passed it on names that place. */
function errorText({ code, message, origin }: ActionError, name: string): string {
  if (origin !== null && origin.action !== name)
    return `${code} in ${printable(origin.task).split(".").at(-1)} ${shortAction(origin.action)}`;
  return `${code}: ${printable(firstLine(message)).slice(0, 300)}`;
}

function groupOf(parent: TreeNode, action: Action): TreeGroup {
  const wanted = action.group ?? printable(action.label);
  const label = parent.groups.has(wanted) || parent.groups.size < maxGroups ? wanted : othersGroup;
  const known = parent.groups.get(label);
  if (known !== undefined) return known;
  const group: TreeGroup = {
    label,
    members: new Map(),
    counts: new Map(),
    cached: 0,
    total: 0,
    keptFailures: 0,
  };
  parent.groups.set(label, group);
  return group;
}

function memberGroup(parent: TreeNode, node: TreeNode): TreeGroup | null {
  const usual = parent.groups.get(node.label);
  if (usual?.members.has(node.name) === true) return usual;
  for (const group of parent.groups.values()) if (group.members.has(node.name)) return group;
  return null;
}

function addCount(group: TreeGroup, phase: Phase, by: number): void {
  group.counts.set(phase, (group.counts.get(phase) ?? 0) + by);
}
