// Many calls of which one fails until it is mended, and with it the run.
import { environment, map, TaskError } from "godwit";
import { z } from "zod";

const env = environment({ name: "failing" });

const one = env.task({ name: "one", input: z.object({ x: z.int() }), output: z.int() }, ({ x }) => {
  if (x === 17 && process.env.BENCH_MENDED !== "yes") throw new Error("not mended yet");
  return x + 1;
});

export const main = env.task({ name: "main", input: z.object({ count: z.int() }), output: z.int() }, async (given) => {
  const inputs = Array.from({ length: given.count }, (_, x) => ({ x }));
  const results = await map(one, inputs, { returnErrors: true });
  return results.reduce<number>((sum, result) => {
    if (result instanceof TaskError) throw result;
    return sum + result;
  }, 0);
});
