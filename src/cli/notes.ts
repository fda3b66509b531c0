// What the tree says beyond the actions' rows: progress of what runs, why what is queued does not run,
// prompts of what waits for a person, retries allowed.
import type { RetryPolicy } from "../core/retry.ts";
import type { Run } from "../core/run.ts";
import { signalExamples, type Wait, waitText } from "../core/wait.ts";
import type { RunTree, TreeNode } from "./run-tree.ts";
import type { Session } from "./session.ts";
import { printable } from "./text.ts";
import type { Prompt, TreeNotes } from "./tree-lines.ts";

/** Asked for at intervals, of the actions that are shown first. */
const intervalMs = 500;
const maxProgress = 12;
const maxWaits = 24;

export type NotesOptions = {
  /** Progress and waits are read again and again. */
  readonly isLive: boolean;
  /** Told of each action once, when it has waited for one thing for more than a moment. */
  readonly onWait: ((node: TreeNode, text: string) => void) | null;
};

export class Notes implements TreeNotes {
  readonly progress = new Map<string, string>();
  readonly prompts = new Map<string, Prompt>();
  readonly waits = new Map<string, string>();
  readonly retries = new Map<string, RetryPolicy>();
  readonly #session: Session;
  readonly #run: Run;
  readonly #tree: RunTree;
  #timer: NodeJS.Timeout | null = null;
  #options: NotesOptions = { isLive: false, onWait: null };
  /** What actions waited for when it was last read; null once it has been told. */
  readonly #waited = new Map<string, string | null>();

  constructor(session: Session, run: Run, tree: RunTree) {
    this.#session = session;
    this.#run = run;
    this.#tree = tree;
  }

  async open(options: NotesOptions): Promise<void> {
    this.#options = options;
    const manifest = await this.#session.godwit.control.manifest(this.#run.bundle);
    for (const { name, shortName, retries } of manifest.tasks) {
      this.retries.set(name, retries);
      this.retries.set(shortName, retries);
    }
    if (options.isLive) this.#timer = setTimeout(() => void this.#read(), intervalMs);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Of a condition that has begun to wait. */
  async prompt(node: TreeNode): Promise<void> {
    if (this.prompts.has(node.name) || this.prompts.size > 1_000) return;
    const { control } = this.#session.godwit;
    const { condition: spec } = await control.getAction(this.#session.scope, this.#run.name, node.name);
    if (spec === null) return;
    const text =
      spec.prompt === null ? `a value of type ${spec.valueType}` : `${printable(spec.prompt)} (${spec.valueType})`;
    this.prompts.set(node.name, { text, example: signalExamples[spec.valueType] });
  }

  async #read(): Promise<void> {
    try {
      if (this.#options.onWait === null) await this.#readProgress();
      await this.readWaits();
    } catch {
      // These are ornaments: a read that fails now is tried again, and the run's own reads tell what is wrong.
    }
    if (this.#timer !== null) this.#timer = setTimeout(() => void this.#read(), intervalMs);
  }

  async #readProgress(): Promise<void> {
    const { control } = this.#session.godwit;
    const isRunning = ({ phase, type }: TreeNode): boolean => phase === "running" && type === "task";
    for (const node of shownNodes(this.#tree, isRunning, maxProgress)) {
      if (this.#timer === null) return;
      const { progress } = await control.getAction(this.#session.scope, this.#run.name, node.name);
      if (progress !== null) this.progress.set(node.name, progressText(progress));
    }
    for (const name of this.progress.keys()) if (this.#tree.node(name)?.phase !== "running") this.progress.delete(name);
  }

  /** Of what is queued. That it waits for its turn, or for the time of its next attempt, is told without this. */
  async readWaits(): Promise<void> {
    const { control } = this.#session.godwit;
    const isWaiting = ({ phase }: TreeNode): boolean => phase === "queued" || phase === "waiting_for_resources";
    const nodes = shownNodes(this.#tree, isWaiting, maxWaits);
    const waits = await control.waitReasons(this.#session.scope, this.#run.name, nodes);
    const nowMs = Date.now();
    this.waits.clear();
    for (const node of nodes) {
      const wait = waits.get(node.name);
      if (wait === undefined || !isWorthTelling(wait)) continue;
      const text = printable(waitText(wait, nowMs));
      this.waits.set(node.name, text);
      this.#tellWait(node, "resource" in wait ? `${wait.type} ${wait.resource}` : wait.type, text);
    }
    for (const name of this.#waited.keys()) if (!this.waits.has(name)) this.#waited.delete(name);
  }

  #tellWait(node: TreeNode, reason: string, text: string): void {
    const before = this.#waited.get(node.name);
    if (before === null) return;
    this.#waited.set(node.name, before === reason ? null : reason);
    if (before === reason) this.#options.onWait?.(node, text);
  }
}

export function progressText(progress: { readonly fraction: number | null; readonly message: string | null }): string {
  const percent = progress.fraction === null ? "" : `${Math.round(progress.fraction * 100)}%`;
  const message = progress.message === null ? "" : printable(progress.message).slice(0, 120);
  return [percent, message].filter((part) => part !== "").join(" ");
}

const isWorthTelling = ({ type }: Wait): boolean =>
  type === "resource" || type === "limit" || type === "reserved" || type === "duplicate";

/** In the order in which the tree is drawn, as far as it is likely to be. */
function shownNodes(tree: RunTree, isMeant: (node: TreeNode) => boolean, limit: number): readonly TreeNode[] {
  const found: TreeNode[] = [];
  const visit = (node: TreeNode): void => {
    if (found.length >= limit) return;
    if (isMeant(node)) found.push(node);
    for (const group of node.groups.values()) {
      let looked = 0;
      for (const member of group.members.values()) {
        if (++looked > 200 || found.length >= limit) break;
        visit(member);
      }
    }
  };
  if (tree.root !== null) visit(tree.root);
  return found;
}
