// The tokens of Flyte's protocol in the arguments of container tasks: `{{.outputPrefix}}`.
//
// R1  A token begins with `{{`, perhaps spaces, and a dot or dollar; its name may be in any case.
// R2  What is put in is never read again: a value with braces in it stays as it is.
// R3  A token that has no value stays as it is written, so that whoever reads it sees what was missing.

/** By the names of the tokens; `inputs`: those of the task by their own names, as text. */
export type Tokens = {
  readonly [token: string]: string;
};

/** R1 to R3. `inputs.<name>` is looked up in `inputs`, in the case that it has. */
export function filledTemplate(text: string, tokens: Tokens, inputs: Tokens = {}): string {
  const byName = new Map(Object.entries(tokens).map(([name, value]) => [name.toLowerCase(), value]));
  return text.replace(/\{\{\s*[.$]([A-Za-z]+)(?:\.([^}\s]+))?\s*\}\}/g, (found, token: string, input?: string) => {
    if (input === undefined) return byName.get(token.toLowerCase()) ?? found;
    if (token.toLowerCase() !== "inputs" || !Object.hasOwn(inputs, input)) return found;
    return inputs[input] as string;
  });
}

/** What stands for "there is none" where the protocol wants a path: two quotation marks. */
export const absentPath = '""';
