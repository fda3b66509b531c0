/**
 * Teaches a small neural network to read handwritten digits (MNIST), with a checkpoint after each epoch.
 *
 *   npx godwit run examples/digits/pipeline.ts main --name digits
 *
 * Kill it midway, with Ctrl-C or `kill -9`, and let it go on:
 *
 *   npx godwit resume digits
 *   npx godwit logs digits train
 *
 * The log says "resuming after epoch 4", and the result is the same to the last bit as without the kill:
 * what is random in an epoch follows from the action's seed and the epoch's number.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { environment, File, file } from "godwit";
import { z } from "zod";
import { accuracy, type Image, type Network, newNetwork, pixels, seeded, trainEpoch } from "./network.ts";

/** The npm package has a file for each digit: pixels from 0 to 1, image after image. */
const digitFile = (digit: number): string =>
  fileURLToPath(new URL(`./digits/${digit}.json`, import.meta.resolve("mnist")));

const env = environment({ name: "digits", resources: { cpu: 1, memory: "1Gi" } });

/** A byte for the digit and one for each pixel, image after image. */
const imageFile = file();

export const prepare = env.task(
  {
    name: "prepare",
    input: z.object({ imagesPerDigit: z.int().min(10).max(800) }),
    output: z.object({ training: imageFile, test: imageFile }),
    cache: "auto",
  },
  async ({ imagesPerDigit }) => {
    const records: { readonly training: Uint8Array[]; readonly test: Uint8Array[] } = { training: [], test: [] };
    for (let digit = 0; digit < 10; digit++) {
      const { data } = JSON.parse(await readFile(digitFile(digit), "utf8")) as { readonly data: readonly number[] };
      for (let index = 0; index < imagesPerDigit; index++) {
        const image = data.slice(index * pixels, (index + 1) * pixels).map((shade) => Math.round(shade * 255));
        records[index % 5 === 0 ? "test" : "training"].push(Uint8Array.from([digit, ...image]));
      }
    }
    return {
      training: File.fromBytes("training.bin", Buffer.concat(records.training)),
      test: File.fromBytes("test.bin", Buffer.concat(records.test)),
    };
  },
);

type Progress = { readonly epoch: number; readonly network: Network; readonly losses: readonly number[] };

export const train = env.task(
  {
    name: "train",
    input: z.object({ training: imageFile, test: imageFile, epochs: z.int().min(1), hidden: z.int().min(1) }),
    output: z.object({ model: file(), accuracy: z.number() }),
    retries: 2,
  },
  async ({ training, test, epochs, hidden }, { checkpoint, log, progress, report, seed, signal }) => {
    const [images, unseen] = [imagesOf(await training.bytes()), imagesOf(await test.bytes())];
    const last = await checkpoint.load<Progress>();
    if (last !== undefined) log.info(`resuming after epoch ${last.epoch}`);

    const network = last?.network ?? newNetwork(hidden, seeded(seed));
    const losses = [...(last?.losses ?? [])];
    for (let epoch = (last?.epoch ?? 0) + 1; epoch <= epochs; epoch++) {
      losses.push(trainEpoch(network, images, 0.02, seeded(seed + epoch)));
      log.info(`epoch ${epoch}`, { loss: losses.at(-1)?.toFixed(4), accuracy: accuracy(network, unseen).toFixed(3) });
      progress(epoch / epochs, `epoch ${epoch} of ${epochs}`);
      await checkpoint.save({ epoch, network, losses } satisfies Progress);
      signal.throwIfAborted();
    }

    report.append(`<h1>Loss in each epoch</h1>${lineChart(losses)}`);
    return { model: File.fromJson("digits.json", network), accuracy: accuracy(network, unseen) };
  },
);

export const main = env.task(
  {
    name: "main",
    description: "Trains a network and keeps it as a file.",
    input: z.object({
      epochs: z.int().min(1).default(10),
      hidden: z.int().min(1).default(64).describe("units in the hidden layer"),
      imagesPerDigit: z.int().min(10).max(800).default(800),
    }),
    output: z.object({ model: file(), accuracy: z.number() }),
  },
  async ({ epochs, hidden, imagesPerDigit }) => {
    const images = await prepare({ imagesPerDigit });
    return await train({ ...images, epochs, hidden });
  },
);

function imagesOf(bytes: Uint8Array): readonly Image[] {
  const record = 1 + pixels;
  return Array.from({ length: bytes.length / record }, (_, index) => ({
    digit: bytes[index * record] as number,
    pixels: Float64Array.from(bytes.subarray(index * record + 1, (index + 1) * record), (shade) => shade / 255),
  }));
}

function lineChart(values: readonly number[]): string {
  const highest = Math.max(...values);
  const points = values.map((value, index) => ({ x: 30 + index * 50, y: 20 + 180 * (1 - value / highest), value }));
  return (
    `<svg viewBox="0 0 ${values.length * 50 + 40} 230" width="${values.length * 50 + 40}" font-size="12">` +
    `<polyline fill="none" stroke="#4269d0" stroke-width="2" points="${points.map(({ x, y }) => `${x},${y}`).join(" ")}"/>` +
    points.map(({ x, y, value }) => `<text x="${x}" y="${y - 6}">${value.toFixed(3)}</text>`).join("") +
    points.map(({ x }, index) => `<text x="${x}" y="222" text-anchor="middle">${index + 1}</text>`).join("") +
    "</svg>"
  );
}
