// Compiles the Flyte protocol to build/idl, where `#idl/…` is found and whence it is published. The npm package has TypeScript alone, which
// Node refuses to strip below node_modules. Does nothing if that has been done for the installed version.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

const root = join(import.meta.dirname, "..");
const made = join(root, "build/idl");
const stamp = join(made, "version.txt");
/** Counts what is done to the compiled files. */
const revision = 4;

/** Throws if the compiler does. */
export function compileIdl(): void {
  const manifest = readFileSync(join(root, "node_modules/@flyteorg/flyteidl2/package.json"), "utf8");
  const { version } = JSON.parse(manifest) as { readonly version: string };
  const done = `${version}/${revision}`;
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === done) return;
  rmSync(made, { recursive: true, force: true });
  const compiler = spawnSync(join(root, "node_modules/.bin/tsc"), ["--project", "tsconfig.idl.json"], {
    cwd: root,
    stdio: "inherit",
  });
  if (compiler.status !== 0) throw new Error("The Flyte protocol was not compiled; see the compiler's words above.");
  for (const file of globSync("**/*_pb.js", { cwd: made })) makeLight(file);
  writeFileSync(join(made, "file.js"), fileModule);
  mkdirSync(made, { recursive: true });
  writeFileSync(stamp, done);
}

/**
 * What describes a file while it is loaded. The library looks up a file's types in all that its imports import, by every way on which
 * these can be reached, and there are more such ways than types; those of its own imports are all that it can mention.
 */
const fileModule = `// Describes a file of the protocol by its bytes and the files that it imports.
import { fileDesc as described } from "@bufbuild/protobuf/codegenv1";

export function fileDesc(bytes, imports = []) {
  const file = described(bytes, imports.map((each) => ({ ...each, dependencies: [] })));
  file.dependencies.splice(0, file.dependencies.length, ...imports);
  return file;
}
`;

/**
 * Descriptors without the rules for validators and for other generators, which nothing here reads: a third of what is loaded
 * with the protocol would be the definition of those rules, again for each file that has some.
 */
function makeLight(file: string): void {
  const path = join(made, file);
  const text = readFileSync(path, "utf8");
  const rules = new Set(
    [...text.matchAll(/^import \{ (file_\w+) \} from "[./]+\/(?:buf|google\/api|protoc-gen-openapiv2)\//gm)].map(
      ([, name]) => name,
    ),
  );
  const light = text
    .split("\n")
    .filter((line) => !rules.has(/^import \{ (file_\w+) \} from/.exec(line)?.[1]))
    .join("\n")
    .replace(
      /^(import \{.*)(?:\bfileDesc, |, fileDesc\b)(.* from "@bufbuild\/protobuf\/codegenv1";)$/m,
      (_, before, after) => {
        const root = relative(dirname(path), made).replaceAll("\\", "/");
        return `${before}${after}\nimport { fileDesc } from "${root}/file.js";`;
      },
    )
    .replace(/fileDesc\("([^"]*)"(?:, \[([^\]]*)\])?\)/, (_, bytes: string, imports = "") => {
      const kept = (imports as string).split(", ").filter((name) => name !== "" && !rules.has(name));
      return `fileDesc("${withoutRules(bytes)}", [${kept.join(", ")}])`;
    });
  writeFileSync(path, light);
}

function withoutRules(bytes: string): string {
  const file = fromBinary(FileDescriptorProtoSchema, base64Decode(bytes));
  dropUnknown(file);
  return base64Encode(toBinary(FileDescriptorProtoSchema, file), "std_raw");
}

/** Options that are not the language's own are unknown fields of a descriptor. */
function dropUnknown(value: unknown): void {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return;
  if ("$unknown" in value) delete value.$unknown;
  for (const part of Object.values(value)) dropUnknown(part);
}

if (import.meta.main) compileIdl();
