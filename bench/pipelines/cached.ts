// Calls of a cached task: `count` of them over `distinct` inputs.
import { environment, map } from "godwit";
import { z } from "zod";

const env = environment({ name: "cached" });

const one = env.task(
  { name: "one", input: z.object({ x: z.int() }), output: z.int(), cache: "auto" },
  ({ x }) => x + 1,
);

export const main = env.task(
  { name: "main", input: z.object({ count: z.int(), distinct: z.int() }), output: z.int() },
  async ({ count, distinct }) => {
    const inputs = Array.from({ length: count }, (_, index) => ({ x: index % distinct }));
    const results = await map(one, inputs);
    return results.reduce((sum, result) => sum + result, 0);
  },
);
