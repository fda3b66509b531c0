// A process that begins a build and never ends it: `node waiting-build.fixture.ts <directory> <name>`.
import { Builds } from "./builds.ts";

const [directory = "", name = ""] = process.argv.slice(2);
const listener = { print: () => {}, signal: new AbortController().signal };
setInterval(() => {}, 1_000);
await new Builds(directory, 1).build(name, listener, () => {
  process.stdout.write("building\n");
  return new Promise<never>(() => {});
});
