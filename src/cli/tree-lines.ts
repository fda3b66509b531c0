// The tree of a run as lines of text, never more than there is room for.
import { isSuccess, isTerminal, type Phase } from "../core/action.ts";
import type { RetryPolicy } from "../core/retry.ts";
import { inputsText, maxInputsWidth, shortAction } from "./call-text.ts";
import { isFolded, type RunTree, type TreeGroup, type TreeNode } from "./run-tree.ts";
import type { Paint } from "./terminal.ts";
import { countText, durationText, fit } from "./text.ts";

/** What a condition asks, and a value that would answer it. */
export type Prompt = { readonly text: string; readonly example: string };

/** What the lines say beyond what the tree knows; each looked up by action name. */
export type TreeNotes = {
  readonly progress: ReadonlyMap<string, string>;
  readonly prompts: ReadonlyMap<string, Prompt>;
  /** Why it does not go on, in words; those that only wait for their turn are left out. */
  readonly waits: ReadonlyMap<string, string>;
  /** By task name. */
  readonly retries: ReadonlyMap<string, RetryPolicy>;
};

export const noNotes: TreeNotes = {
  progress: new Map(),
  prompts: new Map(),
  waits: new Map(),
  retries: new Map(),
};

export type TreeView = {
  readonly run: string;
  readonly width: number;
  readonly height: number;
  readonly nowMs: number;
  /** Whether what runs is drawn as turning: only where it will be drawn again. */
  readonly isMoving: boolean;
  readonly paint: Paint;
  readonly notes: TreeNotes;
};

/** How much is told. Each level says less; the first that fits is shown. */
const levels = [
  { hidesEnded: false, mergesEnded: false, hidesMembers: false },
  { hidesEnded: true, mergesEnded: false, hidesMembers: false },
  { hidesEnded: true, mergesEnded: true, hidesMembers: false },
  { hidesEnded: true, mergesEnded: true, hidesMembers: true },
] as const;
type Level = (typeof levels)[number];

export function treeLines(tree: RunTree, view: TreeView): readonly string[] {
  const { root } = tree;
  if (root === null) return [];
  for (const level of levels) {
    const lines = draw(root, view, level);
    const isLast = level === levels.at(-1);
    if (lines.length <= view.height || isLast) return bounded(lines, view);
  }
  return [];
}

function draw(root: TreeNode, view: TreeView, level: Level): string[] {
  const lines: string[] = [];
  // One line too many is enough to know that it does not fit.
  const limit = Math.max(view.height, 1) * 4 + 1;
  const add = (node: TreeNode, lead: string, rest: string): void => {
    if (lines.length >= limit) return;
    lines.push(lead + nodeText(node, view));
    if (node.phase === "paused") lines.push(rest + answerText(node, view));
    addRows(rowsBelow(node, level), rest);
  };
  const addRows = (rows: readonly Row[], lead: string): void => {
    rows.forEach((row, index) => {
      if (lines.length >= limit) return;
      const isLast = index === rows.length - 1;
      const branch = view.paint("dim", lead + (isLast ? "└─ " : "├─ "));
      const rest = lead + (isLast ? "   " : "│  ");
      if (row.type === "node") {
        add(row.node, branch, rest);
        return;
      }
      lines.push(branch + groupText(row.group, view));
      addRows(
        row.members.map((node) => ({ type: "node", node })),
        rest,
      );
    });
  };
  add(root, "", "");
  return lines;
}

type Row =
  | { readonly type: "node"; readonly node: TreeNode }
  | {
      readonly type: "group";
      readonly group: TreeGroup;
      readonly members: readonly TreeNode[];
    };

const shownRunning = 3;

function rowsBelow(node: TreeNode, level: Level): readonly Row[] {
  if (level.hidesEnded && isSuccess(node.phase)) return [];
  const rows: Row[] = [];
  for (const group of node.groups.values()) {
    const members = [...take(group.members.values(), 1_000)];
    const isMerged =
      level.hidesMembers ||
      (level.mergesEnded && members.length > 2 && members.some((member) => isSuccess(member.phase)));
    if (!isFolded(group) && !(isMerged && group.total > 1)) {
      for (const member of members) rows.push({ type: "node", node: member });
      continue;
    }
    rows.push({
      type: "group",
      group,
      members: level.hidesMembers ? [] : worthShowing(members),
    });
  }
  return rows;
}

/** Of a folded group: what failed, what waits for a person, and a few that run. */
function worthShowing(members: readonly TreeNode[]): readonly TreeNode[] {
  const failed = members.filter(({ phase }) => isTerminal(phase) && !isSuccess(phase));
  const waiting = members.filter(({ phase }) => phase === "paused");
  const running = members.filter(({ phase }) => phase === "running");
  return [...failed.slice(0, 5), ...waiting.slice(0, shownRunning), ...running.slice(0, shownRunning)];
}

function* take<T>(items: Iterable<T>, count: number): Iterable<T> {
  let left = count;
  for (const item of items) {
    if (left-- <= 0) return;
    yield item;
  }
}

function bounded(lines: readonly string[], view: TreeView): readonly string[] {
  const fitted = lines.map((line) => fit(line, view.width));
  if (fitted.length <= view.height) return fitted;
  const kept = fitted.slice(0, Math.max(0, view.height - 1));
  return [...kept, fit(view.paint("dim", "   … more than fits here"), view.width)];
}

const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"] as const;

/** One sign for a phase; `nowMs` turns the spinner, null keeps it still. */
export function phaseSign(phase: Phase, paint: Paint, nowMs: number | null): string {
  switch (phase) {
    case "succeeded":
      return paint("green", "✓");
    case "recovered":
      return paint("green", "↻");
    case "failed":
    case "timed_out":
      return paint("red", "✗");
    case "aborted":
      return paint("yellow", "⊘");
    case "paused":
      return paint("yellow", "◆");
    case "running":
    case "initializing":
      return paint("cyan", nowMs === null ? "⟳" : (spinner[Math.floor(nowMs / 100) % spinner.length] as string));
    case "queued":
    case "waiting_for_resources":
      return paint("dim", "·");
  }
}

export const phaseWords: Record<Phase, string> = {
  queued: "queued",
  waiting_for_resources: "waiting for identical work",
  initializing: "starting",
  running: "running",
  paused: "waiting",
  succeeded: "succeeded",
  recovered: "recovered",
  failed: "failed",
  aborted: "aborted",
  timed_out: "timed out",
};

export const signalCommand = (run: string, label: string, prompt: Prompt | undefined): string =>
  `godwit signal ${run} ${label} ${prompt?.example ?? "VALUE"}`;

function nodeText(node: TreeNode, view: TreeView): string {
  const { paint } = view;
  const sign = phaseSign(node.phase, paint, view.isMoving ? view.nowMs : null);
  // What comes after them says what becomes of the call: they leave it room.
  const label = fit(node.label, Math.max(12, Math.floor(view.width * 0.4)));
  const name = node.parent === null ? paint("bold", label) : label;
  const id = node.parent === null || node.type === "trace" ? "" : ` ${paint("dim", shortAction(node.name))}`;
  const details = nodeDetails(node, view);
  const call = inputsText(node.inputs, Math.min(maxInputsWidth, Math.max(8, Math.floor(view.width * 0.3))));
  return `${sign} ${name}${call === "" ? "" : ` ${call}`}${id}${details.length === 0 ? "" : `  ${details.join("  ")}`}`;
}

/** On a line of its own, since it is made to be copied. */
const answerText = (node: TreeNode, { paint, run, notes }: TreeView): string =>
  `  ${paint("dim", `→ ${signalCommand(run, node.label, notes.prompts.get(node.name))}`)}`;

function nodeDetails(node: TreeNode, view: TreeView): readonly string[] {
  const { paint, notes } = view;
  switch (node.phase) {
    case "queued": {
      const waitMs = node.readyAtMs - view.nowMs;
      const wait = notes.waits.get(node.name);
      const isFirst = node.failures === null || node.failures.count === 0;
      if (isFirst) return [wait === undefined ? paint("dim", "queued") : paint("yellow", wait)];
      if (wait !== undefined)
        return [paint("yellow", `${retryText(node, notes)} ${wait}`), paint("red", node.error ?? "")];
      const when = waitMs > 0 ? ` in ${durationText(waitMs)}` : "";
      return [paint("yellow", `${retryText(node, notes)}${when}`), paint("red", node.error ?? "")];
    }
    case "waiting_for_resources":
      return [paint("dim", notes.waits.get(node.name) ?? phaseWords[node.phase])];
    case "paused":
      return [paint("yellow", notes.prompts.get(node.name)?.text ?? "waits for a signal")];
    case "succeeded":
      return node.isCached
        ? [paint("cyan", "cached")]
        : [paint("dim", tookText(node, view.nowMs)), ...retried(node, view)];
    case "recovered":
      return [paint("cyan", "recovered")];
    case "failed":
    case "timed_out":
    case "aborted":
      return [
        paint("dim", tookText(node, view.nowMs)),
        ...retried(node, view),
        paint(node.phase === "aborted" ? "yellow" : "red", node.error ?? phaseWords[node.phase]),
      ];
    default: {
      const progress = notes.progress.get(node.name);
      return [
        tookText(node, view.nowMs),
        ...retried(node, view),
        ...(progress === undefined ? [] : [paint("cyan", progress)]),
      ];
    }
  }
}

function tookText(node: TreeNode, nowMs: number): string {
  const from = node.startedAtMs ?? node.createdAtMs;
  return durationText((node.endedAtMs ?? nowMs) - from);
}

const retried = (node: TreeNode, { paint, notes }: TreeView): readonly string[] => [
  ...(node.oomFailures === 0 ? [] : [paint("yellow", `out of memory ×${node.oomFailures}`)]),
  ...(node.failures === null ||
  node.failures.count === 0 ||
  (isTerminal(node.phase) && !isSuccess(node.phase) && node.attempt <= 1)
    ? []
    : [paint("yellow", retryText(node, notes))]),
];

/** `retry 2/3`: which of the retries it may have. */
export function retryText(node: TreeNode, notes: TreeNotes): string {
  const { failures } = node;
  if (failures === null) return "";
  const allowed = notes.retries.get(node.label)?.[failures.kind];
  // A last failure is not followed by a retry, so it is not counted as one.
  const count = allowed === undefined ? failures.count : Math.min(failures.count, allowed);
  return `retry ${count}${allowed === undefined || allowed < count ? "" : `/${allowed}`}`;
}

function groupText(group: TreeGroup, view: TreeView): string {
  const { paint } = view;
  const sign = phaseSign(groupPhase(group), paint, view.isMoving ? view.nowMs : null);
  const wait = groupWait(group, view.notes);
  return `${sign} ${group.label} ${paint("dim", `×${countText(group.total)}`)}  ${groupCounts(group, paint)}${
    wait === null ? "" : `  ${paint("yellow", wait)}`
  }`;
}

/** Members of one group ask for the same, so that one speaks for all. */
function groupWait(group: TreeGroup, notes: TreeNotes): string | null {
  if (notes.waits.size === 0) return null;
  for (const name of notes.waits.keys()) if (group.members.has(name)) return notes.waits.get(name) ?? null;
  return null;
}

function groupPhase(group: TreeGroup): Phase {
  const has = (phase: Phase): boolean => (group.counts.get(phase) ?? 0) > 0;
  const order: readonly Phase[] = [
    "running",
    "initializing",
    "queued",
    "waiting_for_resources",
    "paused",
    "failed",
    "timed_out",
    "aborted",
  ];
  const found = order.find(has);
  if (found === "queued" && group.total > (group.counts.get("queued") ?? 0)) return "running";
  return found ?? "succeeded";
}

/** `9,120 succeeded, 30 running, 2 failed`. */
export function groupCounts(group: Pick<TreeGroup, "counts" | "cached">, paint: Paint): string {
  const count = (phase: Phase): number => group.counts.get(phase) ?? 0;
  const parts: [number, string][] = [
    [
      count("succeeded"),
      paint(
        "green",
        `${countText(count("succeeded"))} succeeded${group.cached > 0 ? ` (${countText(group.cached)} cached)` : ""}`,
      ),
    ],
    [count("recovered"), paint("green", `${countText(count("recovered"))} recovered`)],
    [count("running"), paint("cyan", `${countText(count("running"))} running`)],
    [count("paused"), paint("yellow", `${countText(count("paused"))} waiting`)],
    [
      count("queued") + count("waiting_for_resources") + count("initializing"),
      paint("dim", `${countText(count("queued") + count("waiting_for_resources") + count("initializing"))} queued`),
    ],
    [count("failed") + count("timed_out"), paint("red", `${countText(count("failed") + count("timed_out"))} failed`)],
    [count("aborted"), paint("yellow", `${countText(count("aborted"))} aborted`)],
  ];
  return parts
    .filter(([number]) => number > 0)
    .map(([, text]) => text)
    .join(", ");
}
