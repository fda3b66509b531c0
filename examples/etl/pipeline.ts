/**
 * Four years of weather in Seattle: a command groups days into months, TypeScript makes a typed table of
 * them, and the outputs are that table (Parquet) and a compressed copy for people who want CSV.
 *
 *   npx godwit run examples/etl/pipeline.ts main
 *   npx godwit run examples/etl/pipeline.ts main --unit inches
 */
import { fileURLToPath } from "node:url";
import { environment, File, file, Table, table, trace } from "godwit";
import { z } from "zod";

const weather = fileURLToPath(new URL("../data/seattle-weather.csv", import.meta.resolve("vega-datasets")));

const env = environment({ name: "etl", env: { LC_ALL: "C" } });

/** The command finds input files under "$name", and writes its outputs to the files that "$name" names. */
export const byMonth = env.shell({
  name: "by-month",
  description: "Adds up the days of each month: rain, warmest, coldest.",
  input: z.object({ days: file() }),
  output: z.object({ months: file(), count: z.int() }),
  cache: "auto",
  command: `
    echo month,rainMm,warmest,coldest > "$months"
    awk -F, 'NR > 1 {
      month = substr($1, 1, 7)
      if (!(month in rain)) { warmest[month] = $3; coldest[month] = $4 }
      rain[month] += $2
      if ($3 > warmest[month]) warmest[month] = $3
      if ($4 < coldest[month]) coldest[month] = $4
    } END {
      for (month in rain) printf "%s,%.1f,%s,%s\\n", month, rain[month], warmest[month], coldest[month]
    }' "$days" | sort >> "$months"
    grep -c '^[0-9]' "$months" > "$count"
  `,
});

export const compress = env.shell({
  name: "compress",
  input: z.object({ plain: file() }),
  output: z.object({ compressed: file() }),
  cache: "auto",
  command: 'gzip -9 -n -c "$plain" > "$compressed"',
});

const summary = table({
  month: z.string(),
  rain: z.number(),
  warmest: z.number(),
  coldest: z.number(),
  loadedAt: z.date(),
});

export const load = env.task(
  {
    name: "load",
    input: z.object({ months: file(), unit: z.enum(["mm", "inches"]) }),
    output: z.object({ summary, wettest: z.string() }),
  },
  async ({ months, unit }, { report }) => {
    // A step of its own, so that a second attempt writes the very same table.
    const loadedAt = await trace("time-of-load", () => new Date());
    const lines = (await months.text()).trim().split("\n").slice(1);
    const rows = lines.map((line) => {
      const [month = "", rain, warmest, coldest] = line.split(",");
      const factor = unit === "mm" ? 1 : 1 / 25.4;
      return { month, rain: Number(rain) * factor, warmest: Number(warmest), coldest: Number(coldest), loadedAt };
    });
    const wettest = rows.reduce((a, b) => (b.rain > a.rain ? b : a));
    report.append(`<h1>Rain in Seattle, ${unit}</h1><p>The wettest month was ${wettest.month}.</p>`);
    report.append(columnChart(rows.map(({ rain }) => rain / wettest.rain)));
    return { summary: Table.fromRows(rows), wettest: wettest.month };
  },
);

export const main = env.task(
  {
    name: "main",
    description: "Extracts, transforms and loads the weather of Seattle.",
    input: z.object({ unit: z.enum(["mm", "inches"]).default("mm") }),
    output: z.object({ summary, wettest: z.string(), months: z.int(), archive: file() }),
  },
  async ({ unit }) => {
    const { months, count } = await byMonth({ days: File.fromPath(weather) });
    const [loaded, archive] = await Promise.all([load({ months, unit }), compress({ plain: months })]);
    return { ...loaded, months: count, archive: archive.compressed };
  },
);

/** Columns of height 0 to 1. */
function columnChart(heights: readonly number[]): string {
  const columns = heights.map(
    (height, index) =>
      `<rect x="${index * 14}" y="${160 - 160 * height}" width="11" height="${160 * height}" fill="#4269d0"/>`,
  );
  return `<svg viewBox="0 0 ${heights.length * 14} 160" width="${heights.length * 14}">${columns.join("")}</svg>`;
}
