// Flags that carry a task's inputs: which flag means which input, and what was said about each.
// Nothing is read or converted here; every mistake is listed, not only the first.
import { didYouMean } from "../core/names.ts";
import type { LiteralType, Variable } from "../core/value.ts";
import { flagName, isBoolean, isNone, placeholder } from "./type-text.ts";

/** What one input was given: the texts in order (lists may repeat a flag), or a switch. */
export type Given =
  | { readonly type: "texts"; readonly texts: readonly string[] }
  | { readonly type: "switch"; readonly isOn: boolean };

export type ParsedFlags = {
  /** By input name. */
  readonly given: ReadonlyMap<string, Given>;
  readonly problems: readonly string[];
};

type Meaning = { readonly input: Variable; readonly isNegated: boolean };

export function parseInputFlags(
  tokens: readonly string[],
  inputs: readonly Variable[],
  ownFlags: readonly string[],
): ParsedFlags {
  const meanings = flagMeanings(inputs);
  const given = new Map<string, Given>();
  const problems: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const token = tokens[at] as string;
    if (token === "--") continue;
    if (!token.startsWith("--")) {
      problems.push(`unexpected ${JSON.stringify(token)}: inputs are given as --input value`);
      continue;
    }
    const [flag, attached] = splitFlag(token);
    const meaning = meanings.get(flag);
    if (meaning === undefined) {
      const known = [...meanings.keys(), ...ownFlags].map((name) => `--${name}`);
      problems.push(`unknown option --${flag}.${didYouMean(`--${flag}`, known)}`);
      // Its value goes with it, so that one mistake is told once.
      if (attached === null && isValue(tokens[at + 1])) at++;
      continue;
    }
    const taken = takeValue(meaning, attached, tokens[at + 1]);
    if (taken.type === "problem") {
      problems.push(taken.message);
      continue;
    }
    if (taken.usedNext) at++;
    const problem = add(given, meaning.input, taken.given);
    if (problem !== null) problems.push(problem);
  }
  return { given, problems };
}

/** Exact names first: `--max-depth` of an input really called that wins over one called `maxDepth`. */
function flagMeanings(inputs: readonly Variable[]): Map<string, Meaning> {
  const meanings = new Map<string, Meaning>();
  const offer = (flag: string, meaning: Meaning): void => {
    if (!meanings.has(flag)) meanings.set(flag, meaning);
  };
  for (const input of inputs) offer(input.name, { input, isNegated: false });
  for (const input of inputs) offer(flagName(input.name), { input, isNegated: false });
  for (const input of inputs) {
    if (!isBoolean(input.type)) continue;
    offer(`no-${input.name}`, { input, isNegated: true });
    offer(`no-${flagName(input.name)}`, { input, isNegated: true });
  }
  return meanings;
}

function splitFlag(token: string): readonly [string, string | null] {
  const equals = token.indexOf("=");
  return equals === -1 ? [token.slice(2), null] : [token.slice(2, equals), token.slice(equals + 1)];
}

/** `-3` is a number; `--x` is another flag. */
const isValue = (token: string | undefined): token is string =>
  token !== undefined && (!token.startsWith("--") || token === "-");

type Taken =
  | { readonly type: "given"; readonly given: Given; readonly usedNext: boolean }
  | { readonly type: "problem"; readonly message: string };

function takeValue(meaning: Meaning, attached: string | null, next: string | undefined): Taken {
  const { input, isNegated } = meaning;
  if (isBoolean(input.type)) return takeSwitch(meaning, attached, next);
  if (attached !== null) return { type: "given", given: { type: "texts", texts: [attached] }, usedNext: false };
  if (!isValue(next) || isNegated) {
    return {
      type: "problem",
      message: `--${flagName(input.name)} needs a value: --${flagName(input.name)} <${placeholder(input.type)}>`,
    };
  }
  return { type: "given", given: { type: "texts", texts: [next] }, usedNext: true };
}

function takeSwitch({ input, isNegated }: Meaning, attached: string | null, next: string | undefined): Taken {
  const word = attached ?? (next === "true" || next === "false" ? next : null);
  const usedNext = attached === null && word !== null;
  if (word === null || word === "true" || word === "false") {
    const isOn = (word !== "false") !== isNegated;
    return { type: "given", given: { type: "switch", isOn }, usedNext };
  }
  if (word === "null" && allowsNone(input.type))
    return { type: "given", given: { type: "texts", texts: [word] }, usedNext };
  return {
    type: "problem",
    message: `--${flagName(input.name)}: expected true or false, found ${JSON.stringify(word)}`,
  };
}

const allowsNone = (type: LiteralType): boolean =>
  type.type === "union" && type.variants.some(({ type: variant }) => isNone(variant));

/** Only a list may be given more than once. */
function add(given: Map<string, Given>, input: Variable, next: Given): string | null {
  const before = given.get(input.name);
  if (before === undefined) {
    given.set(input.name, next);
    return null;
  }
  if (before.type === "texts" && next.type === "texts" && isList(input.type)) {
    given.set(input.name, {
      type: "texts",
      texts: [...before.texts, ...next.texts],
    });
    return null;
  }
  return `--${flagName(input.name)} was given more than once`;
}

export const isList = (type: LiteralType): boolean =>
  type.type === "collection" ||
  (type.type === "union" && type.variants.some(({ type: variant }) => variant.type === "collection"));
