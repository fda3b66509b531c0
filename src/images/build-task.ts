// The task that clients with `image.builder: remote` look up, and run, to have an image built.
import { noTimeouts } from "../core/action.ts";
import { defaultRetries } from "../core/retry.ts";
import type { TaskSpec } from "../core/task.ts";
import { soleOutput, type Variable } from "../core/value.ts";

/** Where clients look it up. */
export const buildImagePlace = { project: "system", domain: "production" } as const;

const text = (name: string, description: string): Variable => ({
  name,
  type: { type: "simple", simple: "string" },
  required: true,
  description,
  defaultText: null,
});

/** Takes what clients pass, and gives what they name as the image of their tasks. */
export const buildImageTask = (): TaskSpec => ({
  name: "build-image",
  shortName: "build-image",
  environment: "images",
  description: "Prepares a Python environment for an image's spec.",
  location: null,
  interface: {
    inputs: [
      text("spec", "URI of the flyteidl2.imagebuilder.ImageSpec"),
      text("context", "URI of a gzipped tar of the files that the spec names; empty if it names none"),
      text("target_image", "what the client calls the image: registry/name:tag"),
    ],
    outputs: [text(soleOutput, "the image, as tasks name it")],
  },
  target: { type: "image" },
  // It waits for the network most of the time, and its parallelism has a bound of its own.
  resources: { cpuMillis: 0, memoryBytes: null },
  retries: { ...defaultRetries, user: 0 },
  timeouts: noTimeouts,
  cache: { type: "off" }, // Environments are kept by content, which knows better.
  env: {},
  code: { type: "unknown", reason: "it is Godwit's own" },
});
