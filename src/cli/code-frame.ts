// The lines of a source file around a place, cut so that the place is in view.
import type { Paint } from "./terminal.ts";
import { visibleWidth } from "./text.ts";

const linesAround = 2;
/** What is quoted of a line at most, however wide the terminal is. */
const maxWidth = 120;
const tab = "  ";

export type FrameView = { readonly width: number; readonly paint: Paint };

/** `line` and `column` count from 1, columns as JavaScript counts characters. */
export function frameLines(
  source: string,
  line: number,
  column: number,
  { width, paint }: FrameView,
): readonly string[] {
  const lines = source.split("\n");
  const first = Math.max(1, line - linesAround);
  const last = Math.min(lines.length, line + linesAround);
  const digits = String(last).length;
  const room = Math.max(20, Math.min(maxWidth, width - digits - 8));
  const caret = shownLine((lines[line - 1] ?? "").slice(0, column - 1)).length;
  const start = startOf(caret, room);
  const frame: string[] = [];
  for (let number = first; number <= last; number++) {
    const gutter = `${String(number).padStart(digits)} │ `;
    const text = cut(shownLine(lines[number - 1] ?? ""), start, room);
    if (number !== line) {
      frame.push(paint("dim", `    ${gutter}${text}`.trimEnd()));
      continue;
    }
    frame.push(`  ${paint("red", ">")} ${gutter}${text}`);
    const before = visibleWidth(text.slice(0, caret - start));
    frame.push(`    ${" ".repeat(digits)} │ ${" ".repeat(before)}${paint("red", "^")}`);
  }
  return frame;
}

/** All lines begin at the same column, so that they stay under each other; a third of the room is before the caret. */
const startOf = (caret: number, room: number): number =>
  caret < room - Math.floor(room / 4) ? 0 : caret - Math.floor(room / 3);

/** Tabs are shown two wide; other characters that move the cursor are not shown. */
const shownLine = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what takes them out
  text.replaceAll("\t", tab).replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " ");

function cut(text: string, start: number, room: number): string {
  const isCutBefore = start > 0 && text.length > 0;
  let kept = text.slice(start);
  if (isCutBefore) kept = kept === "" ? "…" : `…${kept.slice(1)}`;
  while (visibleWidth(kept) > room) {
    const excess = Math.max(1, Math.floor((visibleWidth(kept) - room) / 2));
    kept = `${kept.slice(0, -excess - 1).replace(/[\ud800-\udbff]$/, "")}…`;
  }
  return kept;
}
