// Which environment an image's reference stands for.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { GodwitError } from "../core/error.ts";
import { pythonIn } from "./interpreter.ts";
import { imageVariables, type Variables } from "./variables.ts";

/** Where an attempt runs. */
export type ResolvedImage = {
  readonly python: string;
  /** PATH and VIRTUAL_ENV among them. */
  readonly env: { readonly [name: string]: string };
  /** A directory whose content belongs into the attempt's working directory; it is not to be changed. */
  readonly workdir: string | null;
};

/** Of a prepared environment; its paths are relative to its directory. */
export type ImageRecord = {
  readonly python: string;
  readonly environment: string;
  /** As the image says them. */
  readonly variables: { readonly [name: string]: string };
  readonly workdir: string | null;
};

export const imageUri = (hash: string): string => `godwit-venv://${hash}`;
const hashOf = (image: string): string | null => /^godwit-venv:\/\/([0-9a-f]{64})$/.exec(image)?.[1] ?? null;

/** Flyte's own, which have flyte and nothing else: `ghcr.io/flyteorg/flyte:py3.11-v2.12.1`. */
const published = /^(?:[^/\s]+\/)*flyte:(?:py(\d+\.\d+))?-?(?:v(\S+))?$/;

/** The Python and the flyte that a published image has, as far as its tag tells; null for other images. */
export function publishedImage(image: string): { readonly python: string; readonly flyte: string } | null {
  if (image === "" || image === "auto") return { python: "", flyte: "" };
  const match = published.exec(image);
  return match === null ? null : { python: match[1] ?? "", flyte: match[2] ?? "" };
}

/** The published image of the same flyte, in whatever Python. */
export const withoutPython = (image: string): string => image.replace(/:py\d+\.\d+-?/, ":");

type Prepared = { readonly record: ImageRecord; readonly directory: string };

export type ReferenceSettings = {
  readonly python: string | null;
  readonly references: { readonly [image: string]: string };
};

export class References {
  readonly #settings: ReferenceSettings;
  readonly #env: Variables;
  readonly #prepared: (hash: string) => Prepared | null;

  constructor(settings: ReferenceSettings, env: Variables, prepared: (hash: string) => Prepared | null) {
    this.#settings = settings;
    this.#env = env;
    this.#prepared = prepared;
  }

  /** Null: a published image, and the operator has named no environment for those. */
  resolve(image: string): ResolvedImage | null {
    const hash = hashOf(image);
    if (hash !== null) return this.#ofHash(hash) ?? this.#gone(image);
    const mapped = this.#mapping(image);
    if (mapped !== null) return this.#ofPath(mapped, `images.references[${JSON.stringify(image)}]`);
    if (publishedImage(image) === null) throw unknownImage(image);
    return this.#settings.python === null ? null : this.#ofPath(this.#settings.python, "images.python");
  }

  /** An environment as it is. */
  standing(python: string): ResolvedImage {
    return { python, env: imageVariables({}, dirname(dirname(python)), this.#env), workdir: null };
  }

  /** What the file of that name names, if it is still there. */
  named(directory: string, key: string): string | null {
    try {
      const hash = readFileSync(join(directory, key), "utf8");
      return this.#ofHash(hash) === null ? null : imageUri(hash);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw error;
    }
  }

  #ofHash(hash: string): ResolvedImage | null {
    const found = this.#prepared(hash);
    if (found === null) return null;
    const { record, directory } = found;
    const python = join(directory, record.python);
    if (!existsSync(python)) return null; // The Python that it stood on was removed.
    const env = imageVariables(record.variables, join(directory, record.environment), this.#env);
    return { python, env, workdir: record.workdir === null ? null : join(directory, record.workdir) };
  }

  #ofPath(path: string, setting: string): ResolvedImage {
    const python = pythonIn(path);
    if (python === null) {
      throw new GodwitError(
        "failed_precondition",
        `The setting ${setting} names ${path}, where there is no Python. It has to name a virtual environment, or its bin/python.`,
      );
    }
    return this.standing(python);
  }

  /** The exact name before patterns, and of these the longest. */
  #mapping(image: string): string | null {
    const { references } = this.#settings;
    if (Object.hasOwn(references, image)) return references[image] ?? null;
    const patterns = Object.keys(references).filter((pattern) => pattern.includes("*") && fits(image, pattern));
    const longest = patterns.sort((a, b) => b.length - a.length)[0];
    return longest === undefined ? null : (references[longest] ?? null);
  }

  #gone(image: string): never {
    throw new GodwitError(
      "failed_precondition",
      `The environment ${image} is not here any more. Run or deploy the task again, which prepares it anew.`,
    );
  }
}

function fits(text: string, pattern: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(text);
}

const unknownImage = (image: string): GodwitError =>
  new GodwitError(
    "failed_precondition",
    `The image ${JSON.stringify(image)} is not known here, and this server runs no containers. Let the server prepare an environment for it (image.builder: remote in the client's configuration, on top of flyte.Image.from_debian_base()), or ask the operator to map it: images.references: { ${JSON.stringify(image)}: "/path/to/environment" }.`,
  );
