// Finds the import that asks Godwit or Node for a name that they do not have. Node's own error for it
// tells neither the user's file nor what may have been meant.
import type { Binding, ModuleGraph } from "../core/code-graph.ts";
import { GodwitError } from "../core/error.ts";
import { didYouMean } from "../core/names.ts";

/** Null: there is none. `urls` of Godwit's entries by what users import. */
export async function missingExport(
  graph: ModuleGraph,
  urls: { readonly [specifier: string]: string },
): Promise<GodwitError | null> {
  for (const [path, module] of Object.entries(graph.modules)) {
    const used = new Set(module.statements.flatMap(({ mentions }) => mentions.map((mention) => mention.split(".")[0])));
    for (const [local, binding] of Object.entries(module.imports)) {
      const specifier = specifierOf(binding, urls);
      // Names that no code mentions are those of types.
      if (specifier === null || binding.imported === "*" || !used.has(local)) continue;
      const names = Object.keys((await import(urls[specifier] ?? specifier)) as object);
      if (names.includes(binding.imported)) continue;
      return new GodwitError(
        "invalid_argument",
        `${path} imports "${binding.imported}" from "${specifier}", which has no such export.${didYouMean(binding.imported, names)}`,
      );
    }
  }
  return null;
}

function specifierOf({ from }: Binding, urls: { readonly [specifier: string]: string }): string | null {
  if (from.type === "builtin") return from.name;
  return from.type === "package" && Object.hasOwn(urls, from.specifier) ? from.specifier : null;
}
