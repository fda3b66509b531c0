// What the tree says beyond the actions' rows: progress of what runs, prompts of what waits, retries allowed.
import type { ConditionSpec } from "../core/messages.ts";
import type { RetryPolicy } from "../core/retry.ts";
import type { Run } from "../core/run.ts";
import type { RunTree, TreeNode } from "./run-tree.ts";
import type { Session } from "./session.ts";
import { printable } from "./text.ts";
import type { Prompt, TreeNotes } from "./tree-lines.ts";

/** Asked for once a second, of the actions that are shown first. */
const progressIntervalMs = 500;
const maxProgress = 12;

export class Notes implements TreeNotes {
  readonly progress = new Map<string, string>();
  readonly prompts = new Map<string, Prompt>();
  readonly retries = new Map<string, RetryPolicy>();
  readonly #session: Session;
  readonly #run: Run;
  readonly #tree: RunTree;
  #timer: NodeJS.Timeout | null = null;

  constructor(session: Session, run: Run, tree: RunTree) {
    this.#session = session;
    this.#run = run;
    this.#tree = tree;
  }

  async open(options: { readonly showsProgress: boolean }): Promise<void> {
    const manifest = await this.#session.godwit.control.manifest(this.#run.bundle);
    for (const { name, shortName, retries } of manifest.tasks) {
      this.retries.set(name, retries);
      this.retries.set(shortName, retries);
    }
    if (options.showsProgress) this.#timer = setTimeout(() => void this.#read(), progressIntervalMs);
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
    this.prompts.set(node.name, { text, example: examples[spec.valueType] });
  }

  async #read(): Promise<void> {
    const { control } = this.#session.godwit;
    try {
      for (const node of runningNodes(this.#tree, maxProgress)) {
        if (this.#timer === null) return;
        const { progress } = await control.getAction(this.#session.scope, this.#run.name, node.name);
        if (progress !== null) this.progress.set(node.name, progressText(progress));
      }
      for (const name of this.progress.keys())
        if (this.#tree.node(name)?.phase !== "running") this.progress.delete(name);
    } catch {
      // Progress is an ornament: a read that fails now is tried again, and the run's own reads tell what is wrong.
    }
    if (this.#timer !== null) this.#timer = setTimeout(() => void this.#read(), progressIntervalMs);
  }
}

const examples: Record<ConditionSpec["valueType"], string> = {
  boolean: "true",
  integer: "3",
  float: "0.5",
  string: "TEXT",
};

export function progressText(progress: { readonly fraction: number | null; readonly message: string | null }): string {
  const percent = progress.fraction === null ? "" : `${Math.round(progress.fraction * 100)}%`;
  const message = progress.message === null ? "" : printable(progress.message).slice(0, 120);
  return [percent, message].filter((part) => part !== "").join(" ");
}

/** Leaves first come into question: what runs nothing below it does the work itself. */
function runningNodes(tree: RunTree, limit: number): readonly TreeNode[] {
  const found: TreeNode[] = [];
  const visit = (node: TreeNode): void => {
    if (found.length >= limit) return;
    if (node.phase === "running" && node.type === "task") found.push(node);
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
