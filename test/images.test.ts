// A task runs in an image that was built for it, with Flyte's own SDK: its variables, its files, its packages.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openExecutor, succeeds, text } from "../src/executor/python.fixture.ts";
import { built, file, open } from "../src/images/images.fixture.ts";
import { pythonEnvironment } from "./python.ts";

test("a task of a built image has its variables, under its own, and its files, as the SDK's a0 runs it", async (t) => {
  const python = pythonEnvironment(t);
  if (python === null) return;
  const images = open({ python: python.python });
  const { image } = await built(
    images,
    {
      baseImage: "ghcr.io/flyteorg/flyte:py3.11-v2.12.1",
      layers: [
        { case: "env", value: { envVariables: { OF_IMAGE: "image", BOTH: "image" } } },
        { case: "copyConfig", value: { src: "notes.txt", dst: "." } },
      ],
    },
    [file("notes.txt", "from the image")],
  );
  const executor = openExecutor(python, { environments: { resolve: (name) => images.resolve(name) } });
  const output = { type: "map", value: text } as const;
  const variables = await succeeds(executor, { function: "environment", output, image, env: { BOTH: "task" } });
  assert(variables.type === "map");
  const { OF_IMAGE, BOTH, VIRTUAL_ENV } = variables.entries;
  assert.deepEqual(
    [OF_IMAGE, BOTH],
    [
      { type: "string", value: "image" },
      { type: "string", value: "task" },
    ],
  );
  assert.deepEqual(VIRTUAL_ENV, { type: "string", value: (await images.resolve(image)).env.VIRTUAL_ENV });
  assert.deepEqual(await succeeds(executor, { function: "texts", output, image }), {
    type: "map",
    entries: { "notes.txt": { type: "string", value: "from the image" } },
  });
  await executor.close();
  await images.close();
});
