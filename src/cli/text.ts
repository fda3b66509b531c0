// How numbers, times, sizes and tables look to people, and how text is made to fit a terminal.
import { stripVTControlCharacters } from "node:util";

/** `340ms`, `12.3s`, `2m 05s`, `1h 04m`, `3d 02h`. */
export function durationText(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1_000) return `${whole}ms`;
  if (whole < 59_950) return `${(whole / 1_000).toFixed(1)}s`;
  const seconds = Math.round(whole / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ${twoDigits(seconds % 60)}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${twoDigits(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d ${twoDigits(hours % 24)}h`;
}

const twoDigits = (value: number): string => String(value).padStart(2, "0");

const units = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `312 B`, `4.1 kB`, `12 MB`: thousands, as disks are sold. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  const digits = unit === 0 || value >= 9.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

const wholeNumber = new Intl.NumberFormat("en-US");

/** `12,345`. */
export const countText = (value: number): string => wholeNumber.format(value);

/** `just now`, `5m ago`, `3h ago`, `12d ago`. */
export function ageText(atMs: number, nowMs: number): string {
  const seconds = Math.floor((nowMs - atMs) / 1_000);
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds}s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h ago`;
  return `${Math.floor(seconds / 86_400)}d ago`;
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${countText(count)} ${count === 1 ? one : many}`;

/** Terminals give these two columns. Near enough: a wrong guess costs one column at the right edge. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}]/u;

export function visibleWidth(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) width += wide.test(character) ? 2 : 1;
  return width;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
const colourCode = /\x1b\[[0-9;]*m/y;

/** Cuts to so many columns, with an ellipsis; colours are kept and closed. */
export function fit(text: string, width: number): string {
  if (visibleWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  let hasColour = false;
  for (let at = 0; at < text.length; ) {
    colourCode.lastIndex = at;
    const colour = colourCode.exec(text);
    if (colour !== null) {
      kept += colour[0];
      hasColour = true;
      at += colour[0].length;
      continue;
    }
    const character = String.fromCodePoint(text.codePointAt(at) as number);
    const columns = wide.test(character) ? 2 : 1;
    if (used + columns > width - 1) break;
    kept += character;
    used += columns;
    at += character.length;
  }
  return `${kept}…${hasColour ? "\x1b[0m" : ""}`;
}

/** Text from tasks may hold anything: control characters would move the cursor or clear the screen. */
export const printable = (text: string): string =>
  stripVTControlCharacters(text)
    .replaceAll("\t", "    ")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: this is what takes them out
    .replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, " ");

export const firstLine = (text: string): string => text.split("\n", 1)[0] as string;

/** Rows under a heading, in columns. The last column is not padded. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const all = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...all.map((row) => visibleWidth(row[column] ?? ""))));
  return all.map((row) =>
    row
      .map((cell, column) =>
        column === row.length - 1 ? cell : cell + " ".repeat((widths[column] as number) - visibleWidth(cell)),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** `name: value` lines with the values under each other. */
export const fields = (pairs: readonly (readonly [string, string | null])[]): readonly string[] => {
  const shown = pairs.filter((pair): pair is [string, string] => pair[1] !== null);
  const width = Math.max(0, ...shown.map(([name]) => name.length));
  return shown.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${value}`);
};
