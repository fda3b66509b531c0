// What operators say, in all three places, and what is said of their mistakes.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, test } from "node:test";
import { type EngineSettings, engineSettings, readDecisions, type SettingsFlags } from "./settings.ts";

const dir = mkdtempSync(join(tmpdir(), "godwit-settings-"));
after(() => rmSync(dir, { recursive: true, force: true }));
const file = join(dir, "godwit.config.json");
const dataDir = join(dir, ".godwit");
const gib = 2 ** 30;

beforeEach(() => rmSync(file, { force: true }));

const write = (settings: unknown) => writeFileSync(file, JSON.stringify(settings));

const settings = (env: { readonly [name: string]: string } = {}, flags: SettingsFlags = {}): Promise<EngineSettings> =>
  engineSettings({ dataDir, env: { PATH: dir, ...env }, flags });

test("without settings, the machine is what it is, and nothing is limited", async () => {
  const { machine, limits, shares } = await settings();
  assert.ok(machine.cpuMillis >= 1_000 && machine.memoryBytes > 0 && machine.diskBytes > 0);
  assert.deepEqual([machine.gpus, machine.tokens, limits.run, limits.projects, shares], [[], {}, undefined, {}, {}]);
});

test("the file says what the machine gives out, what may run at once, and whose work comes first", async () => {
  write({
    machine: { cpu: "1500m", memory: "24Gi", disk: "100Gi", gpus: "2xA100,1xT4", tokens: { licence: 3 } },
    limits: { run: 20, projects: { "team-a": 10 }, environments: { etl: 4 }, tasks: { "etl.load": 0 } },
    shares: { "team-a": 2, "team-b": 0.5 },
  });
  assert.deepEqual(await settings(), {
    machine: {
      cpuMillis: 1_500,
      memoryBytes: 24 * gib,
      diskBytes: 100 * gib,
      gpus: [
        { index: 0, model: "A100", memoryBytes: null },
        { index: 1, model: "A100", memoryBytes: null },
        { index: 2, model: "T4", memoryBytes: null },
      ],
      tokens: { licence: 3 },
    },
    limits: { run: 20, projects: { "team-a": 10 }, environments: { etl: 4 }, tasks: { "etl.load": 0 } },
    shares: { "team-a": 2, "team-b": 0.5 },
  });
});

test("variables go over the file, and flags over both; tokens, limits and shares name by name", async () => {
  write({
    machine: { cpu: 2, memory: "1Gi", disk: "1Gi", gpus: 1, tokens: { licence: 1, db: 1, seat: 1 } },
    limits: { run: 1, projects: { a: 1, b: 1 } },
    shares: { a: 1, b: 1 },
  });
  const env = {
    GODWIT_CPU: "4",
    GODWIT_MEMORY: "2Gi",
    GODWIT_DISK: "",
    GODWIT_TOKENS: "db=2, seat=2",
    GODWIT_RUN_LIMIT: "2",
    GODWIT_PROJECT_LIMITS: "b=2",
    GODWIT_ENVIRONMENT_LIMITS: "etl=3",
    GODWIT_TASK_LIMITS: "etl.load=4",
    GODWIT_SHARES: "b=2.5",
  };
  const { machine, limits, shares } = await settings(env, { memory: "3Gi", gpus: "0", tokens: ["seat=3", "x=0"] });
  assert.deepEqual(machine, {
    cpuMillis: 4_000,
    memoryBytes: 3 * gib,
    diskBytes: gib,
    gpus: [],
    tokens: { licence: 1, db: 2, seat: 3, x: 0 },
  });
  assert.deepEqual(limits, { run: 2, projects: { a: 1, b: 2 }, environments: { etl: 3 }, tasks: { "etl.load": 4 } });
  assert.deepEqual(shares, { a: 1, b: 2.5 });
});

test("GPUs that the operator counts are those that the driver lists, as far as it does", async () => {
  const bin = join(dir, "bin");
  mkdirSync(bin);
  writeFileSync(
    join(bin, "nvidia-smi"),
    "#!/bin/sh\nprintf '0, Tesla T4, 15360\\n1, NVIDIA A100-SXM4-40GB, 40960\\n'\n",
    {
      mode: 0o755,
    },
  );
  const models = async (gpus?: string) =>
    (await settings({ PATH: bin, ...(gpus === undefined ? {} : { GODWIT_GPUS: gpus }) })).machine.gpus.map(
      ({ index, model }) => `${index} ${model}`,
    );
  assert.deepEqual(await models(), ["0 Tesla T4", "1 NVIDIA A100-SXM4-40GB"]);
  assert.deepEqual(await models("1"), ["0 Tesla T4"]);
  assert.deepEqual(await models("1xa100,1"), ["1 NVIDIA A100-SXM4-40GB", "0 Tesla T4"]);
  assert.deepEqual(await models("3"), ["0 Tesla T4", "1 NVIDIA A100-SXM4-40GB", "2 GPU"]);
  assert.deepEqual(await models("0"), []);
});

test("GODWIT_CONFIG names another file, which has to be there", async () => {
  const other = join(dir, "other.json");
  assert.throws(() => readDecisions({ dataDir, env: { GODWIT_CONFIG: other } }), /other\.json cannot be read/);
  writeFileSync(other, '{ "machine": { "cpu": 3 } }');
  assert.equal(readDecisions({ dataDir, env: { GODWIT_CONFIG: other } }).machine.cpuMillis, 3_000);
});

const mistakesInFile: readonly (readonly [string, unknown, string])[] = [
  ["an unknown section", { machin: {} }, 'has no setting "machin". Did you mean "machine"?'],
  ["an unknown setting", { machine: { memroy: 1 } }, 'machine has no setting "memroy". Did you mean "memory"?'],
  ["no object", { limits: [1] }, "limits has to be an object, not [1]"],
  ["no amount", { machine: { memory: true } }, "machine.memory: "],
  ["GPUs that are none", { machine: { gpus: "many:2:3" } }, "machine.gpus: "],
  ["a negative limit", { limits: { projects: { a: -1 } } }, "limits.projects.a has to be a whole number from 0"],
  ["no share", { shares: { a: 0 } }, "shares.a has to be a number above 0"],
];

for (const [what, content, said] of mistakesInFile) {
  test(`${what} in the file is refused, with its place`, async () => {
    write(content);
    await assert.rejects(settings(), ({ message }: Error) => message.startsWith(file) && message.includes(said));
  });
}

test("a file that is not JSON is refused by its name", async () => {
  writeFileSync(file, "{ machine: 1 }");
  await assert.rejects(settings(), ({ message }: Error) => message.startsWith(`${file} is not JSON`));
});

const mistakesInText: readonly (readonly [Parameters<typeof settings>, RegExp])[] = [
  [[{ GODWIT_CPU: "lots" }], /^GODWIT_CPU: "lots" is not a number of CPUs/],
  [[{ GODWIT_GPUS: "2x" }], /^GODWIT_GPUS: /],
  [[{ GODWIT_TOKENS: "licence" }], /^GODWIT_TOKENS: "licence" is not a name and a number/],
  [[{ GODWIT_RUN_LIMIT: "0" }], /^GODWIT_RUN_LIMIT has to be a whole number from 1/],
  [[{}, { memory: "much" }], /^--memory: "much" is not a number of bytes/],
  [[{}, { tokens: ["licence=half"] }], /^--token: "licence=half"/],
];

for (const [[env, flags], said] of mistakesInText)
  test(`said of ${JSON.stringify({ ...env, ...flags })}: ${said.source}`, () =>
    assert.rejects(settings(env, flags), ({ message }: Error) => said.test(message)));
