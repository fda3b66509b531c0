// What a sweep compares: decision trees of different depths, and k nearest neighbours for different k.
// A model is plain JSON, so that it can be kept in a file.
import { askTree, type DecisionTree, growTree, mostCommon, type Sample } from "./decision-tree.ts";

export type Candidate = { readonly kind: "tree" | "neighbours"; readonly size: number };

export type Model =
  | { readonly kind: "tree"; readonly size: number; readonly tree: DecisionTree }
  /** Features are divided by `scale`, their standard deviations, so that grams do not outweigh millimetres. */
  | {
      readonly kind: "neighbours";
      readonly size: number;
      readonly scale: readonly number[];
      readonly samples: readonly Sample[];
    };

export function fit({ kind, size }: Candidate, samples: readonly Sample[]): Model {
  if (kind === "tree") return { kind, size, tree: growTree(samples, size) };
  const features = (samples[0]?.features ?? []).map((_, index) => samples.map((s) => s.features[index] as number));
  return { kind, size, scale: features.map(deviation), samples };
}

export function predict(model: Model, features: readonly number[]): string {
  if (model.kind === "tree") return askTree(model.tree, features);
  const distance = (sample: Sample): number =>
    sample.features.reduce((sum, x, i) => sum + ((x - (features[i] as number)) / (model.scale[i] as number)) ** 2, 0);
  const nearest = model.samples
    .map((sample) => ({ label: sample.label, distance: distance(sample) }))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, model.size);
  return mostCommon(nearest.map(({ label }) => label));
}

export const accuracy = (model: Model, samples: readonly Sample[]): number =>
  samples.filter(({ features, label }) => predict(model, features) === label).length / samples.length;

function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
