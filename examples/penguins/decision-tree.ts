// A decision tree: at each node, the one question "is this feature at most that?" that leaves the
// labels on both sides as unmixed as possible.
export type Sample = { readonly features: readonly number[]; readonly label: string };

export type DecisionTree =
  | { readonly type: "leaf"; readonly label: string }
  | {
      readonly type: "question";
      readonly feature: number;
      readonly atMost: number;
      readonly yes: DecisionTree;
      readonly no: DecisionTree;
    };

export function growTree(samples: readonly Sample[], maxDepth: number): DecisionTree {
  const question = maxDepth === 0 ? null : bestQuestion(samples);
  if (question === null) return { type: "leaf", label: mostCommon(samples.map(({ label }) => label)) };
  const { feature, atMost } = question;
  const isYes = ({ features }: Sample): boolean => (features[feature] as number) <= atMost;
  return {
    type: "question",
    feature,
    atMost,
    yes: growTree(samples.filter(isYes), maxDepth - 1),
    no: growTree(
      samples.filter((sample) => !isYes(sample)),
      maxDepth - 1,
    ),
  };
}

export function askTree(tree: DecisionTree, features: readonly number[]): string {
  let node = tree;
  while (node.type === "question") node = (features[node.feature] as number) <= node.atMost ? node.yes : node.no;
  return node.label;
}

export function mostCommon(labels: readonly string[]): string {
  const counts = countOf(labels);
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best))[0];
}

type Question = { readonly feature: number; readonly atMost: number };

/** Null if no question makes the labels less mixed than they are. */
function bestQuestion(samples: readonly Sample[]): Question | null {
  let best: Question | null = null;
  let bestMixture = mixture(countOf(samples.map(({ label }) => label)), samples.length);
  const features = samples[0]?.features.length ?? 0;
  for (let feature = 0; feature < features; feature++) {
    const sorted = samples.toSorted((a, b) => (a.features[feature] as number) - (b.features[feature] as number));
    const yes = new Map<string, number>();
    const no = countOf(sorted.map(({ label }) => label));
    for (const [index, { features: values, label }] of sorted.entries()) {
      yes.set(label, (yes.get(label) ?? 0) + 1);
      no.set(label, (no.get(label) ?? 0) - 1);
      const [value, next] = [values[feature] as number, sorted[index + 1]?.features[feature]];
      if (next === undefined || next === value) continue;
      const mixed = mixture(yes, index + 1) + mixture(no, samples.length - index - 1);
      if (mixed < bestMixture - 1e-9) [best, bestMixture] = [{ feature, atMost: (value + next) / 2 }, mixed];
    }
  }
  return best;
}

/** Gini impurity times the number of samples: 0 if all have one label. */
function mixture(counts: ReadonlyMap<string, number>, total: number): number {
  let squares = 0;
  for (const count of counts.values()) squares += count * count;
  return total - squares / total;
}

function countOf(labels: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}
