// Images without containers: a virtual environment for each image that a client asks for, kept under the
// hash of what went into it, and found again by the name that the client has for it.
//
// R1  The hash covers the recipe, the content of its files, and the Python and the environment that it
//     stands on. Equal content is one environment, whoever asks.
// R2  A reference that nobody can resolve is refused and says how to map it; nothing runs in an
//     environment that was not meant.
import { cp, mkdir, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { type ArchivedFile, type ArchiveLimits, unpackArchive } from "../blob/archive.ts";
import { isGodwitError } from "../core/error.ts";
import { canonicalJson, hashParts, sha256Hex } from "../core/hash.ts";
import type { ImageSettings } from "../settings/settings.ts";
import { type BuildListener, Builds, writeWhole } from "./builds.ts";
import type { CommandContext } from "./command.ts";
import { type Environment, makeEnvironment, writeScripts } from "./environment.ts";
import type { Interpreter } from "./interpreter.ts";
import { type Ground, Pythons } from "./pythons.ts";
import type { Recipe } from "./recipe.ts";
import { type ImageRecord, imageUri, References, type ResolvedImage, withoutPython } from "./references.ts";
import { installPackage, takeSteps } from "./steps.ts";
import { buildVariables, type Variables } from "./variables.ts";

export type { ResolvedImage } from "./references.ts";

export type ImagesOptions = {
  /** Environments get their directories below it; it is created if need be. */
  readonly directory: string;
  readonly settings: ImageSettings;
  /** The server's own variables. */
  readonly env: Variables;
  /** What a client has uploaded, by the URI it was told. Throws for what is not there or larger. */
  readonly read: (uri: string, maxBytes: number) => Promise<Uint8Array>;
};

export type ImageScope = { readonly project: string; readonly domain: string };

export type ImageOrder = ImageScope & {
  /** URI of the ImageSpec's bytes. */
  readonly spec: string;
  /** URI of a gzipped tar of the files that it names; empty if it names none. */
  readonly context: string;
  /** What the client calls it: `registry/name:tag` or `name:tag`. */
  readonly name: string;
};

export interface Images {
  /** The URI of the prepared environment, which tasks name as their image. Throws what the client did wrong, and `aborted`. */
  build(order: ImageOrder, listener: BuildListener): Promise<string>;
  /** The URI of what was built under `name:tag`, if it is still there. */
  find(scope: ImageScope, name: string): string | null;
  /**
   * What a task's image stands for. A published one, where the operator has named no environment and none is
   * found, is prepared at its first use. R2: throws `failed_precondition`.
   */
  resolve(image: string): Promise<ResolvedImage>;
  /** Removes what dead processes have left. Never rejects. */
  clean(): Promise<void>;
  /** Calls off what is being built. */
  close(): Promise<void>;
}

export const openImages = (options: ImagesOptions): Images => new LocalImages(options);

/** What a change of how images are made would have to change. */
const makerVersion = 1;
/** Of the files that a spec names. They are held in memory while they are unpacked. */
const limits: ArchiveLimits = { maxFiles: 20_000, maxBytes: 256 * 1024 * 1024 };

class LocalImages implements Images {
  readonly #options: ImagesOptions;
  readonly #builds: Builds;
  readonly #references: References;
  readonly #pythons: Pythons;

  constructor(options: ImagesOptions) {
    const { directory, settings, env } = options;
    this.#options = options;
    this.#builds = new Builds(directory, settings.maxBuilds);
    this.#references = new References(settings, env, (hash) => {
      const record = this.#builds.record<ImageRecord>(hash);
      return record === null ? null : { record, directory: this.#builds.path(hash) };
    });
    this.#pythons = new Pythons({ env, settings });
  }

  async build(order: ImageOrder, listener: BuildListener): Promise<string> {
    const { settings, read } = this.#options;
    const { maxSpecBytes, readRecipe } = await import("./recipe.ts");
    const recipe = readRecipe(await read(order.spec, maxSpecBytes), settings);
    const files = order.context === "" ? [] : await unpackArchive([await read(order.context, limits.maxBytes)], limits);
    const ground = await this.#pythons.groundOf(recipe, (image) => this.resolve(image));
    const hash = await this.#built(recipe, files, ground, listener);
    await this.#remember(order, hash);
    return imageUri(hash);
  }

  find(scope: ImageScope, name: string): string | null {
    return this.#references.named(join(this.#options.directory, "names"), nameKey(scope, name));
  }

  async resolve(image: string): Promise<ResolvedImage> {
    const known = this.#references.resolve(image);
    if (known !== null) return known;
    const found = await this.#pythons.own();
    return found === null ? this.#prepared(image) : this.#references.standing(found.python);
  }

  clean(): Promise<void> {
    return this.#builds.removeRemnants();
  }

  close(): Promise<void> {
    return this.#builds.close();
  }

  /**
   * What a published image would have, without being asked for: at the first task that names it. In another
   * Python than the image's, where that is not to be had: most code runs in either.
   */
  async #prepared(image: string): Promise<ResolvedImage> {
    const recipe: Recipe = { baseImage: image, pythonVersion: "", steps: [] };
    const groundOf = (wanted: Recipe) => this.#pythons.groundOf(wanted, (other) => this.resolve(other));
    const ground = await groundOf(recipe).catch((error: unknown) => {
      if (!isGodwitError(error) || error.code !== "failed_precondition") throw error;
      return groundOf({ ...recipe, baseImage: withoutPython(image) });
    });
    const listener = { print: () => {}, signal: new AbortController().signal };
    return this.resolve(imageUri(await this.#built(recipe, [], ground, listener)));
  }

  /** R1. */
  async #built(
    recipe: Recipe,
    files: readonly ArchivedFile[],
    ground: Ground,
    listener: BuildListener,
  ): Promise<string> {
    const { aptPackages } = this.#options.settings;
    const contents = files.map(({ path, bytes, executable }) => [path, sha256Hex(bytes), executable]).sort();
    const hash = sha256Hex(canonicalJson({ makerVersion, recipe, contents, ground, aptPackages }));
    const isThere = this.#builds.record<ImageRecord>(hash) !== null;
    await this.#builds.build<ImageRecord>(hash, listener, (directory, context) =>
      this.#make(directory, recipe, files, ground, context),
    );
    listener.print(`${isThere ? "Found" : "Prepared"} ${imageUri(hash)}.`);
    return hash;
  }

  async #remember(order: ImageOrder, hash: string): Promise<void> {
    const directory = join(this.#options.directory, "names");
    await mkdir(directory, { recursive: true });
    await writeWhole(join(directory, nameKey(order, order.name)), hash);
  }

  async #make(
    directory: string,
    recipe: Recipe,
    files: readonly ArchivedFile[],
    ground: Ground,
    { print, signal }: BuildListener,
  ): Promise<ImageRecord> {
    const contextDirectory = join(directory, "context");
    const workdir = join(directory, "workdir");
    for (const path of [contextDirectory, workdir]) await mkdir(path, { recursive: true });
    const context: CommandContext = { cwd: contextDirectory, env: buildVariables(this.#options.env), print, signal };
    const { python, base, flyte } = ground;
    if (ground.workdir !== null) await cp(ground.workdir, workdir, { recursive: true });
    print(`Python ${python.version}${base === null ? "" : `, on top of ${base.python}`}.`);
    const environment = await makeEnvironment(join(directory, "venv"), python, base, context);
    if (flyte !== null) await installPackage(environment, flyte, context);
    const tool = (name: "uv" | "poetry"): Promise<string> => this.#tool(name, python, context);
    const { aptPackages } = this.#options.settings;
    await takeSteps(recipe.steps, { environment, files, contextDirectory, workdir, aptPackages, tool, context });
    await writeScripts(environment, context);
    await rm(contextDirectory, { recursive: true, force: true });
    return {
      python: join("venv", "bin", "python"),
      environment: "venv",
      variables: Object.assign({}, ground.variables, ...recipe.steps.map((s) => (s.type === "env" ? s.variables : {}))),
      workdir: (await readdir(workdir)).length === 0 ? null : "workdir",
    };
  }

  /** The operator's, or one of our own, made once. */
  async #tool(name: "uv" | "poetry", python: Interpreter, context: CommandContext): Promise<string> {
    const installed = this.#pythons.program(name);
    if (installed !== null) return installed;
    const hash = hashParts("tool", name, python.python, python.version);
    context.print(`Installing ${name}, which the project needs.`);
    const environment: Environment = await this.#builds.build(hash, context, async (directory, listener) => {
      const made = await makeEnvironment(directory, python, null, { ...context, ...listener });
      await installPackage(made, name, { ...context, ...listener });
      return made;
    });
    return join(environment.directory, "bin", name);
  }
}

/** Registries are the client's business: it asks by the last part of the name. */
const nameKey = ({ project, domain }: ImageScope, name: string): string => hashParts(project, domain, basename(name));
