// A tree of calls three levels deep. One leaf in a hundred thousand fails, so that there is something to
// ask for while it runs, and its parent carries on.
import { environment, map, TaskError } from "godwit";
import { z } from "zod";

const env = environment({ name: "tree" });

/** How many calls each level makes; `window`: how many branches a limb has in flight. */
const shape = { limbs: z.int(), branches: z.int(), leaves: z.int(), window: z.int() };
const counts = z.object({ succeeded: z.int(), failed: z.int() });

export const failsEvery = 100_000;

const leaf = env.task({ name: "leaf", input: z.object({ n: z.int() }), output: z.int() }, ({ n }) => {
  if (n % failsEvery === failsEvery - 1) throw new Error(`leaf ${n} is rotten`);
  return 1;
});

const branch = env.task(
  { name: "branch", input: z.object({ from: z.int(), leaves: z.int() }), output: counts },
  async ({ from, leaves }) => {
    const inputs = Array.from({ length: leaves }, (_, index) => ({ n: from + index }));
    const results = await map(leaf, inputs, { returnErrors: true });
    const failed = results.filter((result) => result instanceof TaskError).length;
    return { succeeded: results.length - failed, failed };
  },
);

const limb = env.task(
  { name: "limb", input: z.object({ ...shape, from: z.int() }), output: counts },
  async ({ from, branches, leaves, window }) => {
    const inputs = Array.from({ length: branches }, (_, index) => ({ from: from + index * leaves, leaves }));
    return total(await map(branch, inputs, { concurrency: window }));
  },
);

export const main = env.task({ name: "main", input: z.object(shape), output: counts }, async (given) => {
  const sizeOfLimb = given.branches * given.leaves;
  const inputs = Array.from({ length: given.limbs }, (_, index) => ({ ...given, from: index * sizeOfLimb }));
  return total(await map(limb, inputs));
});

function total(all: readonly z.infer<typeof counts>[]): z.infer<typeof counts> {
  return {
    succeeded: all.reduce((sum, { succeeded }) => sum + succeeded, 0),
    failed: all.reduce((sum, { failed }) => sum + failed, 0),
  };
}
