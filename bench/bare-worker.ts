// The bare engine's worker process: call x gives x + 1.
process.on("message", (batch: readonly (readonly [id: number, input: number])[]) => {
  process.send?.(batch.map(([id, input]) => [id, input + 1]));
});
