// How a run is shown while it runs: a live tree on a terminal, plain lines elsewhere, or nothing.
import type { RunUpdate } from "../control/control.ts";
import type { RunTree } from "./run-tree.ts";
import type { Paint, Screen } from "./terminal.ts";
import { fit } from "./text.ts";
import { type TreeNotes, treeLines } from "./tree-lines.ts";

export type Display = {
  /** After the tree took an update in. */
  changed(update: RunUpdate): void;
  /** A line that stays, above what moves. */
  line(text: string): void;
  /** Draws the last state, for good. */
  end(): void;
};

export const silentDisplay: Display = { changed: () => {}, line: () => {}, end: () => {} };

export type Subject = {
  readonly run: string;
  readonly tree: RunTree;
  readonly notes: () => TreeNotes;
  readonly nowMs: () => number;
};

const frameMs = 100;
const minRows = 4;
/** Lines that wait for the next frame; more than a person can read go by uncounted as one remark. */
const maxWaitingLines = 200;

/** Lines above the tree wrap; longer ones are cut: `godwit logs` has them whole. */
const maxRowsOfLine = 3;

const hideCursor = "\x1b[?25l";
const showCursor = "\x1b[?25h";
/** Terminals that know it show the whole frame at once; others ignore it. */
const beginFrame = "\x1b[?2026h";
const endFrame = "\x1b[?2026l";

/** A tree that is drawn over itself at most ten times a second. */
export class LiveDisplay implements Display {
  readonly #screen: Screen;
  readonly #subject: Subject;
  readonly #paint: Paint;
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;
  #lines: string[] = [];
  #left = 0;
  #ended = false;

  constructor(screen: Screen, subject: Subject, paint: Paint) {
    this.#screen = screen;
    this.#subject = subject;
    this.#paint = paint;
    screen.write(hideCursor);
    this.#timer = setInterval(() => this.#frame(false), frameMs);
  }

  changed(): void {}

  line(text: string): void {
    if (this.#ended) this.#screen.write(`${text}\n`);
    else if (this.#lines.length < maxWaitingLines) this.#lines.push(text);
    else this.#left++;
  }

  end(): void {
    if (this.#ended) return;
    clearInterval(this.#timer);
    this.#frame(true);
    this.#ended = true;
    this.#screen.write(showCursor);
  }

  #frame(isLast: boolean): void {
    const width = Math.max(20, this.#screen.columns ?? 80);
    // What has scrolled off cannot be drawn over, so a moving frame leaves a row for the cursor.
    const height = Math.max(minRows, (this.#screen.rows ?? 24) - 1);
    const { run, tree, notes, nowMs } = this.#subject;
    const frame = treeLines(tree, {
      run,
      width,
      height,
      nowMs: nowMs(),
      isMoving: !isLast,
      paint: this.#paint,
      notes: notes(),
    });
    const above = this.#lines.map((line) => fit(line, width * maxRowsOfLine));
    if (this.#left > 0) above.push(this.#paint("dim", `… ${this.#left} more lines: godwit logs ${run}`));
    this.#lines = [];
    this.#left = 0;
    const up = this.#drawn > 1 ? `\x1b[${this.#drawn - 1}A\r` : "\r";
    const all = [...above, ...frame];
    if (all.length === 0) return;
    const body = all.map((line) => `${line}\x1b[K`).join("\n");
    this.#screen.write(`${beginFrame}${up}${body}\x1b[J${isLast ? "\n" : ""}${endFrame}`);
    this.#drawn = frame.length;
  }
}
