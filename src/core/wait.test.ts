// What people read of an action that does not go on.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Wait, waitText } from "./wait.ts";

const gib = 2 ** 30;
const nowMs = 1_000_000;

const sentences: readonly (readonly [Wait, string])[] = [
  [{ type: "resource", resource: "gpu", asked: 2, free: 1, total: 4 }, "waits for 2 GPUs (1 of 4 free)"],
  [{ type: "resource", resource: "gpu:A100", asked: 1, free: 0, total: 2 }, "waits for 1 A100 GPU (0 of 2 free)"],
  [
    { type: "resource", resource: "gpu", asked: 4, free: 0, total: 0 },
    "waits for 4 GPUs: this machine has 0 (set GODWIT_GPUS, or ask for fewer)",
  ],
  [
    { type: "resource", resource: "memory", asked: 12 * gib, free: 8.2 * gib, total: 16 * gib },
    "waits for 12 GiB of memory (8.2 GiB free of 16 GiB)",
  ],
  [
    { type: "resource", resource: "memory", asked: 64 * gib, free: 8 * gib, total: 16 * gib },
    "waits for 64 GiB of memory: this machine has 16 GiB (set GODWIT_MEMORY, or ask for less)",
  ],
  [{ type: "resource", resource: "cpu", asked: 1_500, free: 500, total: 4_000 }, "waits for 1.5 CPUs (0.5 of 4 free)"],
  [
    { type: "resource", resource: "token:licence", asked: 1, free: 0, total: 3 },
    'waits for 1 of the token "licence" (0 of 3 free)',
  ],
  [{ type: "limit", of: "project", name: "team-a", limit: 10 }, "waits for project quota: 10 of team-a run"],
  [{ type: "limit", of: "task", name: "kit.fit", limit: 2 }, "waits for task limit: 2 of kit.fit run"],
  [
    { type: "reserved", resource: "gpu", action: "train" },
    "waits for its turn: a GPU is kept for train, which waits for longer",
  ],
  [{ type: "turn" }, "waits for its turn"],
  [
    { type: "signal", run: "nightly", label: "approve", example: "true" },
    "waits for a signal: godwit signal nightly approve true",
  ],
  [{ type: "retry", atMs: nowMs + 11_400 }, "tries again in 12 s"],
  [{ type: "duplicate", run: "nightly", action: "abc" }, "waits for identical work: nightly/abc"],
  [{ type: "engine", run: "nightly" }, "nobody serves this run: godwit resume nightly"],
];

for (const [wait, sentence] of sentences) test(sentence, () => assert.equal(waitText(wait, nowMs), sentence));
