// What operators decide of Python environments and images: from the file's section "images", then environment
// variables.
import { dirname, resolve } from "node:path";
import { GodwitError } from "../core/error.ts";
import { wholeNumber } from "../core/quantities.ts";
import type { Variables } from "./decisions.ts";
import { object, settingsIn } from "./settings-file.ts";

export type ImageSettings = {
  /** The environment that published images stand for, as its directory or its Python. Null: whatever is found. */
  readonly python: string | null;
  /** Other references, `*` standing for anything, and the environment that each stands for. */
  readonly references: { readonly [image: string]: string };
  /** Whether images may run commands while they are built, as the server's own user. */
  readonly allowCommands: boolean;
  /** Whether system packages have to be there already, or are not looked at. */
  readonly aptPackages: "check" | "ignore";
  /** Built at once by one process. */
  readonly maxBuilds: number;
};

export const defaultImageSettings: ImageSettings = {
  python: null,
  references: {},
  allowCommands: false,
  aptPackages: "check",
  maxBuilds: 2,
};

export type ImageSources = {
  readonly file: string;
  /** Whether it has to be there. */
  readonly isNamed: boolean;
  readonly env: Variables;
};

/** Paths in the file are meant from where it is. Throws `invalid_argument`, which names the place. */
export function readImageSettings({ file, isNamed, env }: ImageSources): ImageSettings {
  const section = settingsIn(file, isNamed)?.images;
  const what = `${file}: images`;
  const said = section === undefined ? {} : object(section, what, Object.keys(defaultImageSettings));
  const { python, references, allowCommands, aptPackages, maxBuilds } = said;
  const place = (value: unknown, name: string): string => resolve(dirname(file), text(value, `${what}.${name}`));
  const named = env.GODWIT_PYTHON ?? "";
  return {
    python: named !== "" ? resolve(named) : python == null ? null : place(python, "python"),
    references: Object.fromEntries(
      Object.entries(object(references ?? {}, `${what}.references`, null)).map(([image, path]) => [
        image,
        place(path, `references: ${image}`),
      ]),
    ),
    allowCommands: oneOf([true, false], allowCommands ?? defaultImageSettings.allowCommands, `${what}.allowCommands`),
    aptPackages: oneOf(["check", "ignore"], aptPackages ?? defaultImageSettings.aptPackages, `${what}.aptPackages`),
    maxBuilds:
      maxBuilds === undefined
        ? defaultImageSettings.maxBuilds
        : wholeNumber(
            typeof maxBuilds === "number" ? maxBuilds : Number.NaN,
            { least: 1, most: 100 },
            `${what}.maxBuilds`,
          ),
  };
}

function text(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new GodwitError("invalid_argument", `${what} has to be a path, not ${JSON.stringify(value)}.`);
}

function oneOf<const T>(known: readonly T[], value: unknown, what: string): T {
  const found = known.find((each) => each === value);
  if (found !== undefined) return found;
  const list = known.map((each) => JSON.stringify(each)).join(" or ");
  throw new GodwitError("invalid_argument", `${what} has to be ${list}, not ${JSON.stringify(value)}.`);
}
