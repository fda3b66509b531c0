// Plots for reports, as inline SVG: what a browser shows without loading anything else.
const colours = ["#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#a463f2"];

export type Point = { readonly x: number; readonly y: number; readonly group: string; readonly isMarked: boolean };

/** Marked points get a ring around them. */
export function scatterPlot(points: readonly Point[], axes: { readonly x: string; readonly y: string }): string {
  const [width, height, margin] = [560, 360, 44];
  const groups = [...new Set(points.map(({ group }) => group))].sort();
  const colour = (group: string): string => colours[groups.indexOf(group) % colours.length] as string;
  const x = scale(
    points.map((point) => point.x),
    [margin, width - 12],
  );
  const y = scale(
    points.map((point) => point.y),
    [height - margin, 12],
  );
  const dots = points.map(
    (point) =>
      `<circle cx="${x(point.x)}" cy="${y(point.y)}" r="3.5" fill="${colour(point.group)}" fill-opacity=".75"/>` +
      (point.isMarked ? `<circle cx="${x(point.x)}" cy="${y(point.y)}" r="7" fill="none" stroke="#c00"/>` : ""),
  );
  const legend = groups.map(
    (group, index) =>
      `<circle cx="${margin + 14}" cy="${22 + index * 18}" r="5" fill="${colour(group)}"/>` +
      `<text x="${margin + 26}" y="${26 + index * 18}">${escapeHtml(group)}</text>`,
  );
  const frame = `<path d="M${margin} 12V${height - margin}H${width - 12}" fill="none" stroke="#999"/>`;
  const ends = [Math.min, Math.max].map((end) => {
    const [right, up] = [end(...points.map((point) => point.x)), end(...points.map((point) => point.y))];
    return (
      `<text x="${x(right)}" y="${height - margin + 16}" text-anchor="middle">${right}</text>` +
      `<text x="${margin - 6}" y="${Number(y(up)) + 4}" text-anchor="end">${up}</text>`
    );
  });
  const labels =
    `<text x="${width / 2}" y="${height - 10}" text-anchor="middle">${escapeHtml(axes.x)}</text>` +
    `<text transform="translate(16 ${height / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(axes.y)}</text>`;
  return svg(width, height, [frame, labels, ...ends, ...dots, ...legend].join(""));
}

export type Guess = { readonly actual: string; readonly predicted: string };

/** Rows are what is, columns what was predicted; the diagonal is right. */
export function confusionMatrix(guesses: readonly Guess[]): string {
  const labels = [...new Set(guesses.flatMap(({ actual, predicted }) => [actual, predicted]))].sort();
  const cell = 84;
  const cells = labels.flatMap((actual, row) =>
    labels.map((predicted, column) => {
      const count = guesses.filter((guess) => guess.actual === actual && guess.predicted === predicted).length;
      const share = count / guesses.filter((guess) => guess.actual === actual).length || 0;
      const [left, top] = [(column + 1) * cell, row * cell + 24];
      return (
        `<rect x="${left}" y="${top}" width="${cell - 2}" height="${cell - 2}" rx="4" ` +
        `fill="${row === column ? "#3ca951" : "#ff725c"}" fill-opacity="${(0.08 + 0.8 * share).toFixed(2)}"/>` +
        `<text x="${left + cell / 2}" y="${top + cell / 2 + 5}" text-anchor="middle">${count}</text>`
      );
    }),
  );
  const names = labels.flatMap((label, index) => [
    `<text x="${cell - 8}" y="${(index + 0.5) * cell + 29}" text-anchor="end">${escapeHtml(label)}</text>`,
    `<text x="${(index + 1.5) * cell}" y="16" text-anchor="middle">${escapeHtml(label)}?</text>`,
  ]);
  return svg((labels.length + 1) * cell, labels.length * cell + 24, [...cells, ...names].join(""));
}

/** One bar a row, from 0 to 1, with its value at the end. */
export function barChart(bars: readonly { readonly label: string; readonly value: number }[]): string {
  const rows = bars.map(
    ({ label, value }, index) =>
      `<text x="130" y="${index * 26 + 18}" text-anchor="end">${escapeHtml(label)}</text>` +
      `<rect x="138" y="${index * 26 + 4}" width="${(value * 340).toFixed(1)}" height="20" rx="3" fill="${colours[0]}"/>` +
      `<text x="${(146 + value * 340).toFixed(1)}" y="${index * 26 + 18}">${(100 * value).toFixed(1)} %</text>`,
  );
  return svg(560, bars.length * 26 + 4, rows.join(""));
}

const svg = (width: number, height: number, content: string): string =>
  `<svg viewBox="0 0 ${width} ${height}" width="${width}" font-family="system-ui, sans-serif" font-size="13">${content}</svg>`;

/** Maps values to positions, with a little room at both ends. */
function scale(values: readonly number[], [from, to]: readonly [number, number]): (value: number) => string {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low) * 0.05 || 1;
  return (value) => (from + ((value - low + room) / (high - low + 2 * room)) * (to - from)).toFixed(1);
}

const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
