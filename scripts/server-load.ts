// The server's tests with as much load as is asked of it: forty clients that start fifty runs each, killed eight
// times meanwhile; ten thousand watches; a reader that is slow to take in 100,000 actions; requests that are
// spoiled in thousands of ways.
//
//   npm run test:server                 npm run test:server -- kill
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const words = process.argv.slice(2).map((word) => `test/server/${word}`);
const seed = Math.floor(Math.random() * 2 ** 31);
process.stdout.write(`Requests are spoiled from seed ${seed}.\n`);
const { status } = spawnSync(
  process.execPath,
  [join(import.meta.dirname, "test.ts"), ...(words.length === 0 ? ["test/server/"] : words)],
  {
    stdio: "inherit",
    env: {
      GODWIT_LOAD: "40:50:8",
      GODWIT_SPOILED: `${seed}:100`,
      GODWIT_WATCHES: "10000",
      GODWIT_ACTIONS: "100000",
      ...process.env,
    },
  },
);
process.exit(status ?? 1);
