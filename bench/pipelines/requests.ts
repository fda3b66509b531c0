// Godwit's side of the common work, as a user would write it: a task for a call, a task for a parent, and
// a root that is given a request and measures.
import { environment, map, trace } from "godwit";
import { z } from "zod";
import { answer, inputsOf, type Program, type Request, type Span, sumOf } from "../program.ts";

const env = environment({ name: "bench" });

const one = env.task({ name: "one", input: z.object({ x: z.int() }), output: z.int() }, ({ x }) => x + 1);

const kind = z.enum(["task", "step"]);
const spanInput = z.object({ kind, from: z.int(), count: z.int() });

const call = (span: Span, x: number): Promise<number> =>
  span.kind === "task" ? one({ x }) : trace("one", () => x + 1);

export const chain = env.task({ name: "chain", input: spanInput, output: z.int() }, async (span) => {
  let sum = 0;
  for (const x of inputsOf(span)) sum += await call(span, x);
  return sum;
});

export const fan = env.task({ name: "fan", input: spanInput, output: z.int() }, async (span) => {
  if (span.kind === "step") return sumOf(await Promise.all(inputsOf(span).map((x) => call(span, x))));
  return sumOf(
    await map(
      one,
      inputsOf(span).map((x) => ({ x })),
    ),
  );
});

export const windowed = env.task(
  { name: "windowed", input: spanInput.extend({ concurrency: z.int() }), output: z.int() },
  async ({ concurrency, ...span }) =>
    sumOf(
      await map(
        one,
        inputsOf(span).map((x) => ({ x })),
        { concurrency },
      ),
    ),
);

const program: Program = {
  chain: (span) => chain(span),
  fan: (span) => fan(span),
  window: (span, concurrency) => windowed({ ...span, concurrency }),
};

/** Request and answer as JSON text: they are the benchmark's, not values of the pipeline. */
export const main = env.task(
  { name: "main", input: z.object({ request: z.string() }), output: z.object({ answer: z.string() }) },
  async ({ request }) => ({ answer: JSON.stringify(await answer(program, JSON.parse(request) as Request)) }),
);
