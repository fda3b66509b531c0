// The environment of Python that tests use, made by scripts/python.ts.
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";

export type TestPython = { readonly python: string; readonly bin: string };

/** Null: the test is skipped, and says so. Where tests must not be skipped, they fail. */
export function pythonEnvironment(t: TestContext): TestPython | null {
  const bin = join(import.meta.dirname, "../build/python/bin");
  const python = join(bin, "python");
  if (existsSync(join(bin, "a0"))) return { python, bin };
  const why = "There is no build/python; `node scripts/python.ts` makes it.";
  if (process.env.CI) throw new Error(`${why} Tests of Python tasks must not be skipped here.`);
  t.skip(why);
  return null;
}
