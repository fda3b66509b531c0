// What an image spec asks for, as the steps that make a virtual environment of it.
//
// R1  A virtual environment is not a machine: it has no file system, no users and no system packages of
//     its own. What cannot be had in it is refused here, before anything is built, and says what to do.
// R2  Whatever comes from the archive of files is named by a path inside of it.
// R3  Files can be copied only below the image's working directory, which an attempt gets a copy of.

import { isAbsolute, join, normalize, relative } from "node:path/posix";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type ImageSpec,
  ImageSpecSchema,
  type Layer,
  type PipOptions,
  type PythonWheels,
} from "#idl/flyteidl2/imagebuilder/definition_pb.js";
import { GodwitError } from "../core/error.ts";

export type Step =
  | { readonly type: "pip"; readonly packages: readonly string[]; readonly options: readonly string[] }
  /** A file of the context. */
  | { readonly type: "requirements"; readonly file: string; readonly options: readonly string[] }
  /** A directory of the context with wheels. Without a package, all of them are installed. */
  | {
      readonly type: "wheels";
      readonly directory: string;
      readonly packageName: string;
      readonly options: readonly string[];
    }
  | { readonly type: "uv"; readonly project: string; readonly lock: string | null; readonly options: readonly string[] }
  | {
      readonly type: "poetry";
      readonly project: string;
      readonly lock: string | null;
      readonly options: readonly string[];
    }
  | { readonly type: "apt"; readonly packages: readonly string[] }
  /** `to` is below the directory that attempts get a copy of; with a slash at its end it is a directory. */
  | { readonly type: "copy"; readonly from: string; readonly to: string }
  | { readonly type: "command"; readonly command: string; readonly directory: string }
  | { readonly type: "env"; readonly variables: { readonly [name: string]: string } };

export type Recipe = {
  /** What the image stands on: a reference, or empty for the operator's default environment. */
  readonly baseImage: string;
  /** `3.11`; empty if the spec does not say. */
  readonly pythonVersion: string;
  readonly steps: readonly Step[];
};

export type RecipePolicy = { readonly allowCommands: boolean };

/** Where a container without WORKDIR of its own begins: Docker's Python images, and Flyte's. */
const defaultWorkdir = "/root";
const alsoDefault = /^\/home\/flyte(?=\/|$)/;
export const maxSpecBytes = 4 * 1024 * 1024;
const maxLayers = 200;

/** Throws `invalid_argument` for what is no spec, `failed_precondition` for what cannot be had here. */
export function readRecipe(bytes: Uint8Array, policy: RecipePolicy): Recipe {
  const spec = readSpec(bytes);
  // R3 needs to know where the last layer leaves off.
  const workdirs = workdirsOf(spec.layers);
  const workdir = workdirs.at(-1) ?? defaultWorkdir;
  const steps = spec.layers.flatMap((layer, index) =>
    stepsOf(layer, { at: workdirs[index] ?? defaultWorkdir, workdir, ...policy }),
  );
  return { baseImage: spec.baseImage.trim(), pythonVersion: spec.pythonVersion.trim(), steps };
}

function readSpec(bytes: Uint8Array): ImageSpec {
  let spec: ImageSpec;
  try {
    spec = fromBinary(ImageSpecSchema, bytes);
  } catch (error) {
    throw new GodwitError(
      "invalid_argument",
      "The image's spec is not a flyteidl2.imagebuilder.ImageSpec. Build the image with the flyte package.",
      { cause: error },
    );
  }
  if (spec.layers.length > maxLayers)
    throw new GodwitError("invalid_argument", `The image has ${spec.layers.length} layers; at most ${maxLayers} work.`);
  return spec;
}

/** The working directory at each layer. */
function workdirsOf(layers: readonly Layer[]): readonly string[] {
  let workdir = defaultWorkdir;
  return layers.map(({ layer }) => {
    if (layer.case === "workdir") workdir = absolute(workdir, layer.value.workdir);
    return workdir;
  });
}

type Place = {
  /** The container's directory at this layer. */
  readonly at: string;
  /** That at the end. */
  readonly workdir: string;
} & RecipePolicy;

function stepsOf({ layer }: Layer, place: Place): readonly Step[] {
  if (layer.case !== undefined && "secretMounts" in layer.value && layer.value.secretMounts.length > 0)
    throw noSecrets(layer.value.secretMounts.map(({ key }) => key));
  switch (layer.case) {
    case "pipPackages": {
      const { packages, options } = layer.value;
      return packages.length === 0 ? [] : [{ type: "pip", packages, options: pipOptions(options) }];
    }
    case "requirements":
      return [{ type: "requirements", file: inContext(layer.value.file), options: pipOptions(layer.value.options) }];
    case "pythonWheels":
      return [
        {
          type: "wheels",
          directory: inContext(layer.value.dir),
          packageName: packageNameOf(layer.value),
          options: pipOptions(layer.value.options),
        },
      ];
    case "uvProject": {
      const { pyproject, uvlock, options } = layer.value;
      return [{ type: "uv", project: projectOf(pyproject), lock: lockOf(uvlock), options: uvOptions(options) }];
    }
    case "poetryProject": {
      const { pyproject, poetryLock, extraArgs } = layer.value;
      return [{ type: "poetry", project: projectOf(pyproject), lock: lockOf(poetryLock), options: words(extraArgs) }];
    }
    case "aptPackages":
      return layer.value.packages.length === 0 ? [] : [{ type: "apt", packages: layer.value.packages.map(aptName) }];
    case "commands":
      return layer.value.cmd.filter((command) => !makesUser(command)).map((command) => commandStep(command, place));
    case "copyConfig":
      return [copyStep(layer.value, place)];
    case "env":
      return [{ type: "env", variables: checkedVariables(layer.value.envVariables) }];
    case "workdir":
      return [];
    default:
      throw new GodwitError(
        "unimplemented",
        "The image has a layer of a kind that is not known here. It may be newer than this server: update Godwit.",
      );
  }
}

/** R1. The client's default images make a user for the container; attempts run as the server's. */
const makesUser = (command: string): boolean => /^if ! id -u flyte\b/.test(command);

function commandStep(command: string, { allowCommands, at, workdir }: Place): Step {
  if (!allowCommands) {
    throw new GodwitError(
      "failed_precondition",
      `The image runs a command (${JSON.stringify(command.slice(0, 200))}), which this server does not allow: it would run as the server's own user. Leave the command out, or ask the operator to set images.allowCommands.`,
    );
  }
  return { type: "command", command, directory: below(at, workdir) ?? "" };
}

function copyStep({ src, dst }: { readonly src: string; readonly dst: string }, { at, workdir }: Place): Step {
  const target = absolute(at, dst === "" ? "." : dst);
  const to = below(workdir === defaultWorkdir ? target.replace(alsoDefault, defaultWorkdir) : target, workdir);
  if (to === null) {
    throw new GodwitError(
      "failed_precondition",
      `The image copies ${JSON.stringify(src)} to ${target}, outside of its working directory ${workdir}. A virtual environment has no file system of its own: copy below the working directory (with_workdir), or pass the files as inputs.`,
    );
  }
  return { type: "copy", from: inContext(src), to: dst.endsWith("/") && to !== "" ? `${to}/` : to };
}

/** The path from `workdir`, empty for itself; null if it is not below. */
function below(path: string, workdir: string): string | null {
  const inside = relative(workdir, path);
  return inside.startsWith("..") || isAbsolute(inside) ? null : inside;
}

const absolute = (from: string, path: string): string => normalize(isAbsolute(path) ? path : join(from, path));

/** R2. */
function inContext(path: string): string {
  const clean = normalize(path === "" ? "." : path).replace(/\/$/, "");
  if (isAbsolute(path) || clean === ".." || clean.startsWith("../") || path.includes("\0"))
    throw new GodwitError("invalid_argument", `${JSON.stringify(path)} is not a path inside the image's files.`);
  return clean;
}

/** Clients name the file or its directory. */
const projectOf = (pyproject: string): string => inContext(pyproject.replace(/(^|\/)pyproject\.toml$/, ""));
const lockOf = (lock: string): string | null => (lock === "" ? null : inContext(lock));

function pipOptions(options: PipOptions | undefined): readonly string[] {
  if (options === undefined) return [];
  return [...indexOptions(options), ...(options.pre ? ["--pre"] : []), ...words(options.extraArgs)];
}

function uvOptions(options: PipOptions | undefined): readonly string[] {
  if (options === undefined) return [];
  return [...indexOptions(options), ...(options.pre ? ["--prerelease=allow"] : []), ...words(options.extraArgs)];
}

const indexOptions = ({ indexUrl, extraIndexUrls }: PipOptions): readonly string[] => [
  ...(indexUrl === "" ? [] : ["--index-url", indexUrl]),
  ...extraIndexUrls.flatMap((url) => ["--extra-index-url", url]),
];

/** As a shell splits them, with quotes and nothing else. */
export function words(text: string): readonly string[] {
  const found = text.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? [];
  return found.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
}

/** Field 4, which the published messages do not have yet. */
function packageNameOf({ $unknown: unknown = [] }: PythonWheels): string {
  const field = unknown.findLast(({ no, wireType }) => no === 4 && wireType === 2);
  if (field === undefined) return "";
  const start = field.data.findIndex((byte) => byte < 128) + 1; // Its length comes first.
  return new TextDecoder().decode(field.data.subarray(start));
}

function aptName(name: string): string {
  const bare = name.replace(/=.*$/, "");
  if (/^[a-z0-9][a-z0-9+.:-]*$/.test(bare)) return bare;
  throw new GodwitError("invalid_argument", `${JSON.stringify(name)} is not the name of a system package.`);
}

function checkedVariables(variables: { readonly [name: string]: string }): { readonly [name: string]: string } {
  for (const [name, value] of Object.entries(variables)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || value.includes("\0"))
      throw new GodwitError("invalid_argument", `${JSON.stringify(name)} is not a variable that a process can have.`);
  }
  return variables;
}

const noSecrets = (keys: readonly string[]): GodwitError =>
  new GodwitError(
    "failed_precondition",
    `The image wants secrets while it is built (${keys.join(", ")}), which this server does not mount. For a private package index, ask the operator to set it in pip's configuration (pip.conf, PIP_INDEX_URL).`,
  );
