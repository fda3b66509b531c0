// What specs ask for, and what a virtual environment cannot give.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { LayerSchema, PythonWheelsSchema } from "#idl/flyteidl2/imagebuilder/definition_pb.js";
import { isGodwitError } from "../core/error.ts";
import { type LayerInit, specBytes } from "./images.fixture.ts";
import { readRecipe, type Step } from "./recipe.ts";

const read = (...layers: LayerInit[]): readonly Step[] =>
  readRecipe(specBytes({ layers }), { allowCommands: false }).steps;

const refused = (code: string, message: RegExp, ...layers: LayerInit[]): void =>
  assert.throws(
    () => read(...layers),
    (error) => isGodwitError(error) && error.code === code && message.test(error.message),
  );

const copy = (src: string, dst: string): LayerInit => ({ case: "copyConfig", value: { src, dst } });
const workdir = (path: string): LayerInit => ({ case: "workdir", value: { workdir: path } });

test("packages come with the options of their index, split as a shell does", () => {
  const options = {
    indexUrl: "https://a/",
    extraIndexUrls: ["https://b/"],
    pre: true,
    extraArgs: `--no-deps --x="a b"`,
  };
  const index = ["--index-url", "https://a/", "--extra-index-url", "https://b/"];
  assert.deepEqual(
    read(
      { case: "pipPackages", value: { packages: ["x", "y>1"], options } },
      { case: "requirements", value: { file: "a/requirements.txt" } },
      { case: "uvProject", value: { pyproject: "p/pyproject.toml", uvlock: "p/uv.lock", options } },
      { case: "poetryProject", value: { pyproject: "q", poetryLock: "q/poetry.lock", extraArgs: " --no-root" } },
    ),
    [
      { type: "pip", packages: ["x", "y>1"], options: [...index, "--pre", "--no-deps", "--x=a b"] },
      { type: "requirements", file: "a/requirements.txt", options: [] },
      {
        type: "uv",
        project: "p",
        lock: "p/uv.lock",
        options: [...index, "--prerelease=allow", "--no-deps", "--x=a b"],
      },
      { type: "poetry", project: "q", lock: "q/poetry.lock", options: ["--no-root"] },
    ],
  );
});

test("the package of wheels is read, which is newer than the published messages", () => {
  // Field 4, of bytes.
  const newer = Buffer.concat([
    toBinary(PythonWheelsSchema, create(PythonWheelsSchema, { dir: "dist" })),
    Buffer.from([(4 << 3) | 2, 5]),
    Buffer.from("flyte"),
  ]);
  const { layer } = create(LayerSchema, {
    layer: { case: "pythonWheels", value: fromBinary(PythonWheelsSchema, newer) },
  });
  assert.deepEqual(read(layer), [{ type: "wheels", directory: "dist", packageName: "flyte", options: [] }]);
});

test("files are copied below the working directory, wherever that is", () => {
  assert.deepEqual(read(workdir("/app"), copy("src", "."), copy("a.txt", "/app/b/"), workdir("."), copy("c", "./d")), [
    { type: "copy", from: "src", to: "" },
    { type: "copy", from: "a.txt", to: "b/" },
    { type: "copy", from: "c", to: "d" },
  ]);
  assert.deepEqual(read(copy("x", "/home/flyte/x"), copy("y", "/root/y")).length, 2);
});

test("a copy to elsewhere is refused, and says why and what to do", () => {
  refused("failed_precondition", /copies "src" to \/etc\/x.*\/root.*with_workdir/, copy("src", "/etc/x"));
  refused("failed_precondition", /outside of its working directory \/app/, copy("src", "."), workdir("/app"));
  refused("failed_precondition", /outside/, copy("src", "../x"));
});

test("names of files lead into the image's own files", () => {
  for (const path of ["../x", "/etc/passwd", "a/../../b"]) {
    refused("invalid_argument", /not a path inside the image's files/, copy(path, "."));
    refused("invalid_argument", /not a path inside/, { case: "requirements", value: { file: path } });
    refused("invalid_argument", /not a path inside/, { case: "pythonWheels", value: { dir: path } });
    refused("invalid_argument", /not a path inside/, { case: "uvProject", value: { pyproject: path } });
  }
});

test("commands run where the operator allows them, and never those that make the container's user", () => {
  const user = "if ! id -u flyte >/dev/null 2>&1; then useradd flyte; fi";
  const cmd: LayerInit = { case: "commands", value: { cmd: [user, "make all"] } };
  refused("failed_precondition", /"make all".*images.allowCommands/, cmd);
  const { steps } = readRecipe(specBytes({ layers: [workdir("/app"), cmd] }), { allowCommands: true });
  assert.deepEqual(steps, [{ type: "command", command: "make all", directory: "" }]);
});

test("secrets, unknown layers, odd names and what is no spec are refused", () => {
  const secretMounts = [{ key: "token" }];
  refused("failed_precondition", /secrets.*\(token\).*pip.conf/, {
    case: "pipPackages",
    value: { packages: ["x"], secretMounts },
  });
  refused("failed_precondition", /secrets/, { case: "commands", value: { cmd: ["x"], secretMounts } });
  refused("unimplemented", /kind that is not known/, { case: undefined });
  refused("invalid_argument", /not the name of a system package/, {
    case: "aptPackages",
    value: { packages: ["-o=x"] },
  });
  refused("invalid_argument", /not a variable/, { case: "env", value: { envVariables: { "a b": "c" } } });
  assert.throws(() => readRecipe(Buffer.from("no spec at all"), { allowCommands: false }), {
    code: "invalid_argument",
  });
});
