// Lines for pipes, files and CI: one for each change worth knowing, and summaries where there would be too many.
//
// R1  A group prints its first `maxLinesPerGroup` lines one by one; then it is summed up at intervals.
// R2  Failures are printed up to a bound of their own, so that successes never crowd them out.
// R3  What a task printed comes before the line that says how it ended, and a child's end before its parent's.

import type { RunUpdate } from "../control/control.ts";
import { isTerminal, type Phase } from "../core/action.ts";
import { inputsText, shortAction } from "./call-text.ts";
import type { Display, Subject } from "./display.ts";
import type { TreeChange, TreeNode } from "./run-tree.ts";
import { noPaint, type Paint, type Screen } from "./terminal.ts";
import { countText, durationText } from "./text.ts";
import { groupCounts, phaseSign, retryText, signalCommand } from "./tree-lines.ts";

const maxLinesPerGroup = 24;
const maxLines = 400;
const maxFailureLines = 50;
const maxWaitLines = 20;
const summaryMs = 10_000;
const maxSums = 20;
const maxLabels = 1_000;

/** An end that waits for its task's last lines. */
type Held = { readonly action: string; readonly text: string; isReady: boolean };

export class PlainDisplay implements Display {
  readonly #screen: Screen;
  readonly #subject: Subject;
  readonly #paint: Paint;
  readonly #startedAtMs: number;
  readonly #linesOf = new Map<string, number>();
  /** Of all calls so far, by label, bounded by `maxLabels`; and which of them are to be told. */
  readonly #sums = new Map<string, Sum>();
  readonly #untold = new Set<Sum>();
  /** Bounded, as these lines are, by `maxLines` and `maxFailureLines`. */
  readonly #held: Held[] = [];
  #lines = 0;
  #failureLines = 0;
  #waitLines = 0;
  #summedAtMs: number;

  constructor(screen: Screen, subject: Subject, paint: Paint = noPaint) {
    this.#screen = screen;
    this.#subject = subject;
    this.#paint = paint;
    this.#startedAtMs = subject.nowMs();
    this.#summedAtMs = this.#startedAtMs;
  }

  /** One change that the tree saw; call before `changed`. `lastLines` resolves when what the task printed is shown. */
  change(change: TreeChange, lastLines: Promise<void> | null = null): void {
    const sum = this.#add(change);
    const text = this.#text(change);
    if (text === null) return;
    const { node } = change;
    const isFailure = node.phase === "failed" || node.phase === "timed_out";
    if (this.#mayPrint(node, isFailure)) this.#tell(node, text(), lastLines);
    else if (sum !== null) this.#untold.add(sum);
  }

  /** Why an action that is queued does not run. */
  wait(node: TreeNode, text: string): void {
    if (this.#waitLines++ < maxWaitLines) this.line(`${this.#named(node)} ${text}`);
  }

  changed(_update: RunUpdate): void {
    if (this.#subject.nowMs() - this.#summedAtMs >= summaryMs) this.#summarise();
  }

  line(text: string): void {
    const elapsed = durationText(this.#subject.nowMs() - this.#startedAtMs).padStart(7);
    this.#screen.write(`${this.#paint("dim", elapsed)}  ${text}\n`);
  }

  end(): void {
    for (const { text } of this.#held.splice(0)) this.line(text);
    this.#summarise();
  }

  /** R3. */
  #tell(node: TreeNode, text: string, lastLines: Promise<void> | null): void {
    const isEnd = node.phase !== "running" && node.phase !== "paused";
    const isAfterOwn = this.#held.some(({ action }) => action === node.name);
    if (!isAfterOwn && (!isEnd || (lastLines === null && this.#held.length === 0))) {
      this.line(text);
      return;
    }
    const held: Held = { action: node.name, text, isReady: !isEnd || lastLines === null };
    this.#held.push(held);
    void lastLines?.then(() => {
      held.isReady = true;
      while (this.#held[0]?.isReady === true) this.line((this.#held.shift() as Held).text);
    });
  }

  /** R1, R2. */
  #mayPrint(node: TreeNode, isFailure: boolean): boolean {
    if (isFailure) return this.#failureLines++ < maxFailureLines;
    const key = `${node.parent}/${node.label}`;
    const printed = this.#linesOf.get(key) ?? 0;
    if (printed >= maxLinesPerGroup || this.#lines >= maxLines) return false;
    if (this.#linesOf.size < maxLines || printed > 0) this.#linesOf.set(key, printed + 1);
    this.#lines++;
    return true;
  }

  #summarise(): void {
    this.#summedAtMs = this.#subject.nowMs();
    for (const sum of [...this.#untold].slice(0, maxSums)) {
      this.line(`  ${sum.label} ×${countText(sum.total)}: ${groupCounts(sum, this.#paint)}`);
    }
    this.#untold.clear();
  }

  /** One sum for all groups of a label: five thousand parents with a few calls each are not five thousand lines. */
  #add({ node, group, before }: TreeChange): Sum | null {
    if (group === null) return null;
    let sum = this.#sums.get(group.label);
    if (sum === undefined) {
      if (this.#sums.size >= maxLabels) return null;
      sum = { label: group.label, counts: new Map(), cached: 0, total: 0 };
      this.#sums.set(group.label, sum);
    }
    const { counts } = sum;
    if (before === null) sum.total++;
    else counts.set(before, (counts.get(before) ?? 0) - 1);
    counts.set(node.phase, (counts.get(node.phase) ?? 0) + 1);
    if (node.isCached && (before === null || !isTerminal(before))) sum.cached++;
    return sum;
  }

  /** Null if it is not worth a line. Of most that are, no line is made, for there are too many. */
  #text({ node, before, attemptBefore, oomBefore }: TreeChange): (() => string) | null {
    const words = (text: string) => (): string => `${this.#named(node)} ${text}`;
    if (before !== null && isTerminal(before)) return null;
    if (node.phase === "queued") {
      if (node.oomFailures > oomBefore) return words(`tries again with more memory: ${node.error}`);
      if (before !== "running" || node.failures === null || node.failures.count === 0) return null;
      return words(`failed, ${retryText(node, this.#subject.notes())} follows: ${node.error}`);
    }
    if (node.phase === "running") {
      if (node.type === "trace" || (before === "running" && attemptBefore === node.attempt)) return null;
      return words(node.attempt > 1 ? `started, attempt ${node.attempt}` : "started");
    }
    if (node.phase === "paused") {
      const prompt = this.#subject.notes().prompts.get(node.name);
      const command = signalCommand(this.#subject.run, node.label, prompt);
      return words(`waits for a signal${prompt === undefined ? "" : `: ${prompt.text}`}. Answer with: ${command}`);
    }
    return isTerminal(node.phase) ? words(endText(node)) : null;
  }

  #named(node: TreeNode): string {
    const call = inputsText(node.inputs);
    const name = [
      node.label,
      ...(call === "" ? [] : [call]),
      ...(node.parent === null ? [] : [shortAction(node.name)]),
    ];
    return `${phaseSign(node.phase, this.#paint, null)} ${name.join(" ")}`;
  }
}

type Sum = { readonly label: string; readonly counts: Map<Phase, number>; cached: number; total: number };

const endWords: { readonly [phase in Phase]?: string } = {
  failed: "failed",
  aborted: "was aborted",
  timed_out: "timed out",
};

function endText(node: TreeNode): string {
  const from = node.startedAtMs ?? node.createdAtMs;
  const took = durationText((node.endedAtMs ?? from) - from);
  if (node.phase === "recovered") return "recovered";
  if (node.phase === "succeeded") return node.isCached ? "cached" : `succeeded in ${took}`;
  return `${endWords[node.phase]} after ${took}${node.error === null ? "" : `: ${node.error}`}`;
}
