// Environments as clients get them: what is in them, and that equal content is one.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { before, test } from "node:test";
import { isGodwitError } from "../core/error.ts";
import { built, dir, environmentWith, file, open, scope, skip, wheelOf } from "./images.fixture.ts";
import type { ResolvedImage } from "./references.ts";

let python = "";
before(() => {
  if (skip === false) python = environmentWith("2.12.1");
});

const published = "ghcr.io/flyteorg/flyte:v2.12.1";
const pip = (...packages: string[]) => ({ case: "pipPackages" as const, value: { packages } });
const run = ({ python: program, env }: ResolvedImage, ...args: string[]): string =>
  execFileSync(program, args, { env, encoding: "utf8" }).trim();

test("an image has its packages, the operator's flyte and its programs, its variables and its files", {
  skip,
}, async () => {
  const images = open({ python });
  const { image, lines } = await built(
    images,
    {
      baseImage: published,
      layers: [
        pip("iniconfig==2.0.0"),
        { case: "env", value: { envVariables: { GREETING: "hello", PATH: "/opt/x:$PATH" } } },
        { case: "workdir", value: { workdir: "/app" } },
        { case: "copyConfig", value: { src: "src", dst: "." } },
        { case: "copyConfig", value: { src: "src/a.py", dst: "lib/b.py" } },
      ],
    },
    [file("src/a.py", "a = 1\n"), file("src/deep/c.txt", "c")],
  );
  const found = await images.resolve(image);
  const program = "import iniconfig, flyte, sys; print(flyte.__version__, iniconfig.__file__.startswith(sys.prefix))";
  assert.equal(run(found, "-c", program), "2.12.1 True");
  assert.equal(execFileSync("a0", { env: { ...found.env }, encoding: "utf8" }).trim(), "a0 of 2.12.1");
  assert.equal(found.env.GREETING, "hello");
  assert.match(found.env.PATH ?? "", /^[^:]+\/venv\/bin:\/opt\/x:/);
  assert(found.workdir !== null);
  const contents = ["a.py", "deep/c.txt", "lib/b.py"].map((path) =>
    readFileSync(join(found.workdir as string, path), "utf8"),
  );
  assert.deepEqual(contents, ["a = 1\n", "c", "a = 1\n"]);
  assert.match(lines.join("\n"), /\[1\/4\] pip install iniconfig(.|\n)*Successfully installed iniconfig-2.0.0/);
  await images.close();
});

test("equal content is one environment, whatever its archive or its name; other content is another", {
  skip,
}, async () => {
  const images = open({ python });
  const spec = { baseImage: published, layers: [{ case: "copyConfig" as const, value: { src: ".", dst: "." } }] };
  const [a, b] = [file("a", "1"), file("b", "2")];
  const all = await Promise.all([
    built(images, spec, [a, b]),
    built(images, spec, [b, a], "ghcr.io/me/other:tag"),
    built(images, spec, [a, file("b", "3")]),
  ]);
  const [one, same, other] = all.map(({ image }) => image);
  assert.equal(one, same);
  assert.notEqual(one, other);
  const again = await built(images, spec, [a, b]);
  assert.deepEqual(again.lines, [`Found ${one}.`]);
  await images.close();
});

test("a built image is found by its name in its project, until it is gone", { skip }, async () => {
  const directory = join(dir, "found");
  const images = open({ python }, directory);
  const { image } = await built(images, { baseImage: published }, [], "registry.example.com/team/flyte:abc");
  assert.equal(images.find(scope, "flyte:abc"), image);
  assert.equal(images.find(scope, "flyte:abd"), null);
  assert.equal(images.find({ ...scope, project: "other" }, "flyte:abc"), null);
  // Another process on the same directory finds it too.
  assert.equal(open({ python }, directory).find(scope, "flyte:abc"), image);
  rmSync(join(directory, image.slice("godwit-venv://".length)), { recursive: true });
  assert.equal(images.find(scope, "flyte:abc"), null);
  await assert.rejects(images.resolve(image), { code: "failed_precondition", message: /not here any more/ });
});

test("an image stands on another that was built here", { skip }, async () => {
  const images = open({ python });
  const env = { case: "env" as const, value: { envVariables: { LEVEL: "1" } } };
  const copied = { case: "copyConfig" as const, value: { src: "a", dst: "." } };
  const below = await built(images, { baseImage: published, layers: [env, copied] }, [file("a", "1")]);
  const above = await built(images, {
    baseImage: below.image,
    layers: [{ case: "env", value: { envVariables: { UPPER: "$LEVEL" } } }],
  });
  const { env: variables, workdir, ...rest } = await images.resolve(above.image);
  assert.equal(variables.LEVEL, "1");
  assert.deepEqual(readdirSync(workdir as string), ["a"]);
  assert.equal(run({ env: variables, workdir, ...rest }, "-c", "import flyte; print(flyte.__version__)"), "2.12.1");
});

test("pip's last lines say why a package cannot be had", { skip }, async () => {
  const images = open({ python });
  const layers = [
    {
      case: "pipPackages" as const,
      value: { packages: ["./nowhere"], options: { extraIndexUrls: ["https://me:secret@host.invalid/"] } },
    },
  ];
  await assert.rejects(built(images, { baseImage: published, layers }), (error: unknown) => {
    assert(isGodwitError(error));
    assert.equal(error.code, "failed_precondition");
    assert.match(error.message, /pip install .*exited with code 1\. It last wrote:(.|\n)*nowhere/);
    assert.doesNotMatch(error.message, /secret/);
    return true;
  });
});

test("system packages have to be there, unless the operator does not mind", { skip }, async () => {
  const spec = {
    baseImage: published,
    layers: [{ case: "aptPackages" as const, value: { packages: ["no-such-package-anywhere"] } }],
  };
  await assert.rejects(built(open({ python }), spec), {
    message: /does not have: no-such-package-anywhere.*aptPackages/,
  });
  await built(open({ python, aptPackages: "ignore" }), spec);
});

test("commands run in the working directory with the image's own Python", { skip }, async () => {
  const images = open({ python, allowCommands: true });
  const cmd = ["mkdir -p made", "cd made && python -c 'import flyte, sys; print(sys.prefix)' > prefix"];
  const { image } = await built(images, { baseImage: published, layers: [{ case: "commands", value: { cmd } }] });
  const { workdir, env } = await images.resolve(image);
  assert.equal(readFileSync(join(workdir as string, "made", "prefix"), "utf8").trim(), env.VIRTUAL_ENV);
});

test("references mean what the operator says, and nothing else", { skip }, async () => {
  const references = { "team/*": python, "team/exact:1": "/nowhere" };
  const images = open({ python, references });
  const program = join(python, "bin", "python");
  for (const image of ["auto", "", published, "ghcr.io/flyteorg/flyte:py3.12-v2.0.0", "team/x:2"])
    assert.equal((await images.resolve(image)).python, program);
  const refused = (image: string, message: RegExp) =>
    assert.rejects(images.resolve(image), { code: "failed_precondition", message });
  await refused("team/exact:1", /images\.references.*\/nowhere/);
  await refused("nvcr.io/pytorch:1", /not known here.*image\.builder: remote.*images\.references/);
  await refused("godwit-venv://0", /not known/);
  await assert.rejects(open({ python: "/nowhere" }).resolve("auto"), { message: /images\.python/ });
});

test("where the operator has named none, an environment that has flyte is found: the active one, or that of python3", {
  skip,
}, async () => {
  const active = open({}, undefined, { ...process.env, VIRTUAL_ENV: python });
  assert.equal(dirname((await active.resolve(published)).python), join(python, "bin"));
  const path = [join(python, "bin"), process.env.PATH].join(delimiter);
  const onPath = open({}, undefined, { ...process.env, PATH: path, VIRTUAL_ENV: undefined });
  assert.equal(dirname((await onPath.resolve("auto")).python), join(python, "bin"));
});

test("what an image stands on has to be known, and its Python to be there", { skip }, async () => {
  await assert.rejects(built(open({ python }), { baseImage: "nvcr.io/pytorch:1" }), { message: /not known here/ });
  await assert.rejects(built(open({ python }), { pythonVersion: "3.99" }), {
    code: "failed_precondition",
    message: /Python 3\.99/,
  });
});

/** Pip finds nothing but what was made for the test. */
const offline = { ...process.env, PIP_NO_INDEX: "1", PIP_FIND_LINKS: dir, PIP_CONFIG_FILE: "/dev/null" };

test("wheels and requirements come from the image's own files", { skip }, async () => {
  const images = open({ python }, undefined, offline);
  const { path, bytes } = wheelOf("godwit_one", "1.0");
  wheelOf("godwit_two", "2.0");
  const { image } = await built(
    images,
    {
      baseImage: published,
      layers: [
        { case: "pythonWheels", value: { dir: "dist" } },
        { case: "requirements", value: { file: "deep/requirements.txt" } },
      ],
    },
    [file(`dist/${path}`, bytes), file("deep/requirements.txt", "godwit_two==2.0\n")],
  );
  const found = await images.resolve(image);
  assert.equal(
    run(found, "-c", "import godwit_one, godwit_two; print(godwit_one.__version__, godwit_two.__version__)"),
    "1.0 2.0",
  );
  await assert.rejects(
    built(images, { layers: [{ case: "requirements", value: { file: "none.txt" } }] }, [file("a", "")]),
    { code: "invalid_argument", message: /do not have "none.txt"/ },
  );
});

test("where nobody has an environment with flyte, one is prepared for the first task, once, and in the Python there is", {
  skip,
}, async () => {
  wheelOf("flyte", "3.2.1");
  const bare = environmentWith(null);
  const env = { ...offline, PATH: [join(bare, "bin"), process.env.PATH].join(delimiter), VIRTUAL_ENV: undefined };
  const images = open({}, undefined, env);
  const all = await Promise.all(
    Array.from({ length: 5 }, () => images.resolve("ghcr.io/flyteorg/flyte:py3.99-v3.2.1")),
  );
  const [one] = all as [ResolvedImage];
  assert.equal(new Set(all.map((each) => each.python)).size, 1);
  assert.equal(run(one, "-c", "import flyte; print(flyte.__version__)"), "3.2.1");
  assert.equal(execFileSync("a0", { env: { ...one.env }, encoding: "utf8" }).trim(), "flyte 3.2.1");
});
