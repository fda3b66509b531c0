// Chooses what an image stands on: a Python of the version that it wants, and the environment below it.
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { GodwitError } from "../core/error.ts";
import { type Interpreter, noPython, probe, pythonIn, pythonsOnPath } from "./interpreter.ts";
import type { Recipe } from "./recipe.ts";
import { publishedImage, type ResolvedImage } from "./references.ts";
import { buildVariables, type Variables } from "./variables.ts";

/** What an image stands on. */
export type Ground = {
  readonly python: Interpreter;
  /** Null: nothing; flyte has to be installed. */
  readonly base: Interpreter | null;
  /** What to install before anything else, as pip takes it; null if the base has it. */
  readonly flyte: string | null;
  readonly variables: { readonly [name: string]: string };
  /** What it has in its working directory. */
  readonly workdir: string | null;
};

export type PythonsOptions = { readonly env: Variables; readonly settings: { readonly python: string | null } };

/** Several builds wait for one answer, so none of them calls it off. */
const neverAborted = new AbortController().signal;

/** Docker's own images of Python, which have nothing but it. */
const bare = /^(?:(?:docker\.io\/)?library\/)?python:(\d+\.\d+)?/;

export class Pythons {
  readonly #options: PythonsOptions;
  /** What each Python has told of itself. */
  readonly #told = new Map<string, Promise<Interpreter>>();

  constructor(options: PythonsOptions) {
    this.#options = options;
  }

  /** Throws `failed_precondition` if there is no such Python, or the image stands on one that is not known. */
  async groundOf(recipe: Recipe, resolve: (image: string) => Promise<ResolvedImage>): Promise<Ground> {
    const { baseImage } = recipe;
    const released = publishedImage(baseImage);
    const bareVersion = bare.exec(baseImage);
    if (released === null && bareVersion === null) return this.#onTop(recipe, await resolve(baseImage));
    const version = recipe.pythonVersion || (released?.python ?? bareVersion?.[1] ?? "");
    const own = await this.own();
    if (own !== null && (version === "" || own.version === version)) {
      const flyte = released?.flyte ?? "";
      const isOther = flyte !== "" && flyte !== own.flyteVersion;
      const wanted = isOther ? `flyte==${flyte}` : own.flyteVersion === null ? "flyte" : null;
      return { python: own, base: own, flyte: wanted, variables: {}, workdir: null };
    }
    const python = await this.#ofVersion(version);
    const flyte = released?.flyte || own?.flyteVersion || "";
    return { python, base: null, flyte: flyte === "" ? "flyte" : `flyte==${flyte}`, variables: {}, workdir: null };
  }

  /** What the operator has named; else what is active or on PATH, if it has flyte; else null. */
  async own(): Promise<Interpreter | null> {
    const { env, settings } = this.#options;
    if (settings.python !== null) {
      const found = pythonIn(settings.python);
      if (found !== null) return this.#probe(found);
      const message = `The setting images.python names ${settings.python}, where there is no Python.`;
      throw new GodwitError("failed_precondition", message);
    }
    const active = env.VIRTUAL_ENV === undefined ? null : pythonIn(env.VIRTUAL_ENV);
    for (const candidate of [active, this.program("python3")]) {
      if (candidate === null) continue;
      const found = await this.#probe(candidate).catch(() => null); // Nobody has said that it should work.
      if (found !== null && found.flyteVersion !== null) return found;
    }
    return null;
  }

  /** The program of that name in PATH; null if there is none. */
  program(name: string): string | null {
    const entries = (this.#options.env.PATH ?? "").split(delimiter).filter((entry) => entry !== "");
    return entries.map((entry) => join(entry, name)).find((path) => existsSync(path)) ?? null;
  }

  /** An image that was prepared here, or that the operator has mapped. */
  async #onTop(recipe: Recipe, image: ResolvedImage): Promise<Ground> {
    const base = await this.#probe(image.python);
    if (recipe.pythonVersion !== "" && recipe.pythonVersion !== base.version) {
      throw new GodwitError(
        "failed_precondition",
        `The image wants Python ${recipe.pythonVersion}, and what it stands on, ${recipe.baseImage}, has ${base.version}.`,
      );
    }
    const { PATH: _path, VIRTUAL_ENV: _own, ...variables } = image.env;
    return {
      python: base,
      base,
      flyte: base.flyteVersion === null ? "flyte" : null,
      variables,
      workdir: image.workdir,
    };
  }

  async #ofVersion(version: string): Promise<Interpreter> {
    const path = this.#options.env.PATH ?? "";
    const candidates = version === "" ? [this.program("python3")] : pythonsOnPath(version, path);
    for (const candidate of candidates) {
      if (candidate === null) continue;
      const found = await this.#probe(candidate).catch(() => null); // A stub: the next one may work.
      if (found !== null && (version === "" || found.version === version)) return found;
    }
    throw noPython(version === "" ? "3" : version, path);
  }

  #probe(python: string): Promise<Interpreter> {
    const told = this.#told.get(python);
    if (told !== undefined) return told;
    const asked = probe(python, { cwd: tmpdir(), env: buildVariables(this.#options.env), signal: neverAborted });
    this.#told.set(python, asked);
    asked.catch(() => this.#told.delete(python)); // Another time it may work.
    return asked;
  }
}
