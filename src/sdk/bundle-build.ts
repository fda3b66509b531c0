// One pass of the bundler over the user's code (bundle.ts says what is asked of it).

import { canonicalJson } from "../core/hash.ts";
import type { BundlerProblem } from "./bundle-error.ts";
import { bundlerError } from "./bundle-error.ts";
import type { BundleReader } from "./bundle-reader.ts";
import { bundlePrologue } from "./loaded-bundles.ts";

export type BuiltTexts = {
  readonly "main.mjs": string;
  readonly "main.mjs.map": string;
  readonly "modules.json": string;
};

export type BuildOptions = {
  /** Fields of package.json that say where a package begins; default: the bundler's. */
  readonly mainFields?: string[];
  /** Gets what the bundler found wrong; true: that is dealt with elsewhere, and thrown as it is. */
  readonly onProblems?: (problems: readonly BundlerProblem[]) => boolean;
};

export async function buildBundle(
  entry: string,
  projectDir: string,
  reader: BundleReader,
  options: BuildOptions = {},
): Promise<BuiltTexts> {
  const { rolldown } = await import("rolldown");
  try {
    const bundler = await rolldown({
      input: entry,
      cwd: projectDir,
      platform: "node",
      logLevel: "silent",
      // R3 of bundle.ts. Tree-shaking believes `sideEffects` of package.json, and drops what Node would run.
      treeshake: false,
      optimization: { inlineConst: false },
      experimental: { nativeMagicString: true },
      resolve: {
        ...(options.mainFields === undefined ? {} : { mainFields: options.mainFields }),
        // TypeScript lets people write the name of the compiled file.
        extensionAlias: {
          ".js": [".ts", ".tsx", ".js"],
          ".jsx": [".tsx", ".jsx"],
          ".mjs": [".mts", ".mjs"],
          ".cjs": [".cts", ".cjs"],
        },
      },
      plugins: [await reader.plugin()],
    });
    try {
      const { output } = await bundler.generate({
        dir: projectDir,
        format: "esm",
        codeSplitting: false,
        entryFileNames: "main.mjs",
        sourcemap: true,
        keepNames: true,
        minify: false,
        banner: bundlePrologue,
      });
      const [{ code, map }] = output;
      await reader.checkDecorators(code);
      return {
        "main.mjs": code,
        "main.mjs.map":
          map === null
            ? emptyMap
            : JSON.stringify({ ...JSON.parse(map.toString()), sources: map.sources.map(encodePath) }),
        "modules.json": canonicalJson(reader.modules()),
      };
    } finally {
      await bundler.close();
    }
  } catch (error) {
    if (options.onProblems?.(problemsOf(error)) === true) throw error;
    throw reader.failure() ?? bundlerError(problemsOf(error), projectDir, (file) => reader.textOf(file), error);
  }
}

const problemsOf = (error: unknown): readonly BundlerProblem[] => {
  const problems = error instanceof Error && "errors" in error ? error.errors : null;
  return Array.isArray(problems)
    ? (problems as BundlerProblem[])
    : error instanceof Error
      ? [{ message: error.message }]
      : [];
};

/** Of a module that only passes on what packages export. */
const emptyMap = '{"version":3,"file":"main.mjs","names":[],"sources":[],"sourcesContent":[],"mappings":""}';

/** Sources in a map are URLs. */
const encodePath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");
