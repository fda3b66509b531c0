/**
 * Which penguin is it? Measurements of 344 penguins from three species are cleaned and split; a sweep
 * trains decision trees and nearest-neighbour models in parallel; the best is judged on penguins that
 * it has not seen, with a report, and kept as a file.
 *
 *   npx godwit run examples/penguins/pipeline.ts main
 *   npx godwit run examples/penguins/pipeline.ts main --depths '[1,2,3,4,5]' --neighbours '[1,3,9,27]'
 *
 * Run it twice: all but `main` comes from the cache. Change a depth: only that model is trained. Edit
 * decision-tree.ts: the models are trained again, while cleaning and splitting still come from the cache.
 */
import { fileURLToPath } from "node:url";
import { environment, File, file, Table, table } from "godwit";
import { z } from "zod";
import type { Sample } from "./decision-tree.ts";
import { accuracy, fit, type Model, predict } from "./model.ts";
import { barChart, confusionMatrix, scatterPlot } from "./plots.ts";

const measurements = fileURLToPath(new URL("../data/penguins.json", import.meta.resolve("vega-datasets")));

const env = environment({ name: "penguins", resources: { cpu: 1, memory: "512Mi" } });

const penguins = table({
  species: z.string(),
  beakLengthMm: z.number(),
  beakDepthMm: z.number(),
  flipperLengthMm: z.number(),
  bodyMassG: z.number(),
});
type Penguin = Awaited<ReturnType<z.infer<typeof penguins>["rows"]>>[number];

const candidate = z.object({ kind: z.enum(["tree", "neighbours"]), size: z.int().min(1) });

export const clean = env.task(
  { name: "clean", input: z.object({ raw: file() }), output: z.object({ penguins }), cache: "auto" },
  async ({ raw }, { log }) => {
    const rows = (await raw.json()) as readonly { readonly [column: string]: unknown }[];
    const cleaned = rows.map((row) => ({
      species: row.Species,
      beakLengthMm: row["Beak Length (mm)"],
      beakDepthMm: row["Beak Depth (mm)"],
      flipperLengthMm: row["Flipper Length (mm)"],
      bodyMassG: row["Body Mass (g)"],
    }));
    const complete = cleaned.filter((row): row is Penguin => Object.values(row).every((value) => value !== null));
    log.info(`${complete.length} of ${rows.length} penguins have every measurement`);
    return { penguins: Table.fromRows(complete) };
  },
);

export const split = env.task(
  {
    name: "split",
    input: z.object({ penguins, testShare: z.number().gt(0).lt(1) }),
    output: z.object({ training: penguins, validation: penguins, test: penguins }),
    cache: "auto",
  },
  async ({ penguins, testShare }, { random }) => {
    const drawn = (await penguins.rows()).map((row) => ({ row, lot: random() }));
    const rows = drawn.sort((a, b) => a.lot - b.lot).map(({ row }) => row);
    const size = Math.round(rows.length * testShare);
    return {
      test: Table.fromRows(rows.slice(0, size)),
      validation: Table.fromRows(rows.slice(size, 2 * size)),
      training: Table.fromRows(rows.slice(2 * size)),
    };
  },
);

export const train = env.task(
  {
    name: "train",
    input: z.object({ training: penguins, validation: penguins, candidate }),
    output: z.object({ model: file(), accuracy: z.number() }),
    cache: "auto",
    retries: 2,
    timeout: "10m",
  },
  async ({ training, validation, candidate }, { log }) => {
    const model = fit(candidate, samples(await training.rows()));
    const score = accuracy(model, samples(await validation.rows()));
    log.info(`${candidate.kind} of ${candidate.size}`, { accuracy: score.toFixed(3) });
    return { model: File.fromJson(`${candidate.kind}-${candidate.size}.json`, model), accuracy: score };
  },
);

export const evaluate = env.task(
  {
    name: "evaluate",
    input: z.object({ model: file(), test: penguins }),
    output: z.object({ accuracy: z.number() }),
    cache: "auto",
  },
  async ({ model, test }, { report }) => {
    const best = (await model.json()) as Model;
    const guesses = (await test.rows()).map((row) => ({
      row,
      actual: row.species,
      predicted: predict(best, features(row)),
    }));
    const right = guesses.filter(({ actual, predicted }) => actual === predicted).length;
    const points = guesses.map(({ row, actual, predicted }) => ({
      x: row.beakLengthMm,
      y: row.beakDepthMm,
      group: actual,
      isMarked: actual !== predicted,
    }));
    report.append(`<h1>${right} of ${guesses.length} unseen penguins recognised</h1>`);
    report.append("<p>Those with a ring were taken for another species.</p>");
    report.append(scatterPlot(points, { x: "beak length (mm)", y: "beak depth (mm)" }));
    report.append(`<h2>Who was taken for whom</h2>${confusionMatrix(guesses)}`);
    return { accuracy: right / guesses.length };
  },
);

export const main = env.task(
  {
    name: "main",
    description: "Trains every candidate and keeps the one that knows penguins best.",
    input: z.object({
      depths: z.array(z.int().min(1)).default([1, 2, 4, 8]).describe("depths of decision trees to try"),
      neighbours: z.array(z.int().min(1)).default([1, 5, 15, 50]).describe("numbers of neighbours to try"),
    }),
    output: z.object({ best: z.string(), accuracy: z.number(), model: file() }),
  },
  async ({ depths, neighbours }, { report }) => {
    const { penguins } = await clean({ raw: File.fromPath(measurements) });
    const { training, validation, test } = await split({ penguins, testShare: 0.2 });
    const candidates = [
      ...depths.map((size) => ({ kind: "tree" as const, size })),
      ...neighbours.map((size) => ({ kind: "neighbours" as const, size })),
    ];
    const trained = await Promise.all(
      candidates.map(async (candidate) => ({
        label: `${candidate.kind} of ${candidate.size}`,
        ...(await train({ training, validation, candidate })),
      })),
    );
    const best = trained.reduce((a, b) => (b.accuracy > a.accuracy ? b : a));
    const { accuracy } = await evaluate({ model: best.model, test });
    report.append(`<h1>Best: ${best.label}</h1><p>Accuracy of each model on the validation set:</p>`);
    report.append(barChart(trained.map(({ label, accuracy }) => ({ label, value: accuracy }))));
    return { best: best.label, accuracy, model: best.model };
  },
);

const features = (row: Penguin): readonly number[] => [
  row.beakLengthMm,
  row.beakDepthMm,
  row.flipperLengthMm,
  row.bodyMassG,
];

const samples = (rows: readonly Penguin[]): readonly Sample[] =>
  rows.map((row) => ({ features: features(row), label: row.species }));
