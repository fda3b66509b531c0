// `import … from "godwit/testing"`: a whole engine in the test's own process and memory, with a clock
// that the test moves and tasks that the test may replace.
export { FakeClock } from "./testing/clock.ts";
export { type TestGodwit, type TestGodwitOptions, type TestRun, testGodwit } from "./testing/environment.ts";
