// Images for tests: specs and contexts as clients send them, and an environment for them to stand on, which
// has a flyte of one line so that nothing has to be downloaded.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ImageSpecSchema, LayerSchema } from "#idl/flyteidl2/imagebuilder/definition_pb.js";
import { type ArchivedFile, packArchive } from "../blob/archive.ts";
import { defaultImageSettings, type ImageSettings } from "../settings/settings.ts";
import { type Images, openImages } from "./images.ts";
import type { Variables } from "./variables.ts";

export const dir = mkdtempSync(join(tmpdir(), "godwit-images-"));
after(() => rmSync(dir, { recursive: true, force: true }));

export type LayerInit = MessageInitShape<typeof LayerSchema>["layer"];
export type SpecInit = {
  readonly baseImage?: string;
  readonly pythonVersion?: string;
  readonly layers?: readonly LayerInit[];
};

export const specBytes = ({ baseImage = "", pythonVersion = "", layers = [] }: SpecInit): Uint8Array =>
  toBinary(
    ImageSpecSchema,
    create(ImageSpecSchema, {
      baseImage,
      pythonVersion,
      layers: layers.map((layer) => create(LayerSchema, layer === undefined ? {} : { layer })),
    }),
  );

export const file = (path: string, content: string | Uint8Array): ArchivedFile => ({
  path,
  bytes: typeof content === "string" ? Buffer.from(content) : content,
  executable: false,
});

let count = 0;
/** As if a client had uploaded it. */
export function uploaded(bytes: Uint8Array): string {
  const path = join(dir, `upload-${count++}`);
  writeFileSync(path, bytes);
  return path;
}

export const uploadedSpec = (spec: SpecInit): string => uploaded(specBytes(spec));
export const uploadedFiles = (...files: readonly ArchivedFile[]): string => uploaded(packArchive(files));

/** Whether there is a Python to test with; CI must have one. */
export const hasPython = ((): boolean => {
  try {
    execFileSync("python3", ["-m", "pip", "--version"], { stdio: "ignore" });
    return true;
  } catch (error) {
    if (process.env.CI !== undefined) throw error;
    return false;
  }
})();
export const skip = hasPython ? false : "no python3 with pip on this machine";

/** A virtual environment with a flyte of that version; null: without. */
export function environmentWith(flyteVersion: string | null): string {
  const directory = join(dir, `env-${count++}`);
  execFileSync("python3", ["-m", "venv", "--system-site-packages", "--without-pip", directory]);
  if (flyteVersion === null) return directory;
  const python = join(directory, "bin", "python");
  const packages = execFileSync(python, ["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], {
    encoding: "utf8",
  }).trim();
  mkdirSync(join(packages, "flyte"), { recursive: true });
  writeFileSync(
    join(packages, "flyte", "__init__.py"),
    `__version__ = "${flyteVersion}"\ndef main():\n    print("a0 of", __version__)\n`,
  );
  const about = join(packages, `flyte-${flyteVersion}.dist-info`);
  mkdirSync(about);
  writeFileSync(join(about, "METADATA"), `Metadata-Version: 2.1\nName: flyte\nVersion: ${flyteVersion}\n`);
  writeFileSync(join(about, "entry_points.txt"), "[console_scripts]\na0 = flyte:main\n");
  return directory;
}

/** A package of one line, as a wheel: its version in `__version__`, and a program of the package's name. */
export function wheelOf(name: string, version: string): ArchivedFile {
  const path = `${name}-${version}-py3-none-any.whl`;
  const whole = join(dir, path);
  const about = `${name}-${version}.dist-info`;
  const files = {
    [`${name}/__init__.py`]: `__version__ = "${version}"\ndef main():\n    print("${name}", __version__)\n`,
    [`${about}/METADATA`]: `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`,
    [`${about}/WHEEL`]: "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    [`${about}/entry_points.txt`]: `[console_scripts]\n${name === "flyte" ? "a0" : name} = ${name}:main\n`,
    [`${about}/RECORD`]: "",
  };
  const program =
    "import json, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as z:\n    [z.writestr(*each) for each in json.loads(sys.argv[2]).items()]";
  execFileSync("python3", ["-c", program, whole, JSON.stringify(files)]);
  return file(path, readFileSync(whole));
}

export const open = (
  settings: Partial<ImageSettings> = {},
  directory = join(dir, `images-${count++}`),
  env: Variables = process.env,
): Images =>
  openImages({
    directory,
    settings: { ...defaultImageSettings, ...settings },
    env,
    read: (uri) => readFile(uri),
  });

export const scope = { project: "flytesnacks", domain: "development" };

/** Builds, and says what was printed. */
export async function built(
  images: Images,
  spec: SpecInit,
  files: readonly ArchivedFile[] = [],
  name = "flyte:tag",
): Promise<{ readonly image: string; readonly lines: readonly string[] }> {
  const lines: string[] = [];
  const order = {
    ...scope,
    name,
    spec: uploadedSpec(spec),
    context: files.length === 0 ? "" : uploadedFiles(...files),
  };
  const image = await images.build(order, {
    print: (line) => lines.push(line),
    signal: new AbortController().signal,
  });
  return { image, lines };
}
