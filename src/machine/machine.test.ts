// What a machine has, read from texts that such machines gave.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseGpus, visibleGpus } from "./gpus.ts";
import { cpuMillisOf, diskBytesOf, listGpus, memoryBytesOf, readBasics } from "./machine.ts";

const gib = 2 ** 30;

type Files = { readonly [path: string]: string };
const reader = (files: Files) => (path: string) => files[path] ?? null;

const meminfo = (bytes: number) =>
  `MemTotal:       ${bytes / 1_024} kB\nMemFree:        24254824 kB\nMemAvailable:   24180392 kB\n`;
const status = (list: string) =>
  `Name:\tnode\nThreads:\t11\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\nMems_allowed_list:\t0\n`;

test("a machine without limits has its cores, and its memory but for a tenth", () => {
  const files = {
    "/proc/self/status": status("0-15"),
    "/proc/meminfo": meminfo(64 * gib),
    "/proc/self/cgroup": "0::/\n",
  };
  assert.equal(cpuMillisOf(reader(files), 99), 16_000);
  assert.equal(memoryBytesOf(reader(files), 1), Math.floor(64 * gib * 0.9));
});

test("without /proc, as on macOS, it is what the system says", () => {
  assert.equal(cpuMillisOf(reader({}), 10), 10_000);
  assert.equal(memoryBytesOf(reader({}), 32 * gib), Math.floor(32 * gib * 0.9));
});

test("of little memory not less than 256 MiB is kept back, and not more than half", () => {
  assert.equal(memoryBytesOf(reader({}), gib), gib * 0.75);
  assert.equal(memoryBytesOf(reader({}), gib / 4), gib / 8);
});

test("the second version of control groups: the smallest limit on the way to the root holds", () => {
  const files = {
    "/proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n",
    "/proc/self/status": status("0-7"),
    "/proc/meminfo": meminfo(64 * gib),
    "/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope/memory.max": `${30 * gib}\n`,
    "/sys/fs/cgroup/user.slice/user-1000.slice/cpu.max": "250000 100000\n",
    "/sys/fs/cgroup/user.slice/user-1000.slice/memory.max": `${20 * gib}\n`,
    "/sys/fs/cgroup/user.slice/memory.max": "max\n",
  };
  assert.equal(cpuMillisOf(reader(files), 8), 2_500);
  assert.equal(memoryBytesOf(reader(files), 1), Math.floor(20 * gib * 0.9));
});

test("the first version, in a container that is told its path on the host", () => {
  const id = "76cfcacc80372acbbbac1fbf9c600e43";
  const files = {
    "/proc/self/cgroup": `9:name=systemd:/docker/${id}\n4:memory:/docker/${id}\n3:cpuset:/docker/${id}\n1:cpu,cpuacct:/docker/${id}\n0::/\n`,
    "/proc/self/status": status("0-3,8,10-11"),
    "/proc/meminfo": meminfo(64 * gib),
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${4 * gib}\n`,
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
  };
  assert.equal(cpuMillisOf(reader(files), 99), 1_500);
  assert.equal(memoryBytesOf(reader(files), 1), Math.floor(4 * gib * 0.9));
  const unlimited = {
    ...files,
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
  };
  assert.equal(cpuMillisOf(reader(unlimited), 99), 7_000);
  assert.equal(memoryBytesOf(reader(unlimited), 1), Math.floor(64 * gib * 0.9));
});

test("a part of a core counts as one: tasks that ask for nothing in particular ask for one", () => {
  const files = { "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "50000 100000\n" };
  assert.equal(cpuMillisOf(reader(files), 8), 1_000);
});

test("of free disk a tenth is kept back, and not less than a GiB", () => {
  assert.equal(diskBytesOf(100 * gib), 90 * gib);
  assert.equal(diskBytesOf(4 * gib), 3 * gib);
  assert.equal(diskBytesOf(gib / 2), 0);
});

const printed =
  "0, NVIDIA A100-SXM4-40GB, 40960\n1, NVIDIA A100-SXM4-40GB, 40960\n2, Tesla T4, 15360\n3, NVIDIA GB10, [N/A]\n";

test("GPUs are what nvidia-smi lists", () => {
  assert.deepEqual(
    parseGpus(printed).map(({ index, model, memoryBytes }) => [index, model, memoryBytes]),
    [
      [0, "NVIDIA A100-SXM4-40GB", 40 * gib],
      [1, "NVIDIA A100-SXM4-40GB", 40 * gib],
      [2, "Tesla T4", 15 * gib],
      [3, "NVIDIA GB10", null],
    ],
  );
  assert.deepEqual(parseGpus("No devices were found\n"), []);
  assert.deepEqual(parseGpus("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"), []);
});

test("what the operator hides from CUDA is not given out", () => {
  const listed = parseGpus(printed.replaceAll(/(\d), (.*)$/gm, "$1, $2, GPU-$1aaa-bbbb"));
  const seen = (visible: string | undefined) => visibleGpus(listed, visible).map(({ index }) => index);
  assert.deepEqual(seen(undefined), [0, 1, 2, 3]);
  assert.deepEqual(seen("2,0"), [2, 0]);
  assert.deepEqual(seen("1,7,0"), [1]);
  assert.deepEqual(seen("GPU-2aaa, 1"), [2, 1]);
  assert.deepEqual(seen("-1"), []);
  assert.deepEqual(seen(""), []);
});

test("nvidia-smi is asked where it is on PATH; one that fails has no GPUs", async (context) => {
  const dir = mkdtempSync(join(tmpdir(), "godwit-machine-"));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  const program = join(dir, "nvidia-smi");
  const env = { PATH: `${dir}:${process.env.PATH}` };
  assert.deepEqual(await listGpus({ PATH: dir }), []);
  writeFileSync(
    program,
    `#!/bin/sh\n[ "$1 $2" = "--query-gpu=index,name,memory.total --format=csv,noheader,nounits" ] && printf '0, Tesla T4, 15360\\n'\n`,
  );
  chmodSync(program, 0o755);
  assert.deepEqual(await listGpus(env), [{ index: 0, model: "Tesla T4", memoryBytes: 15 * gib }]);
  assert.deepEqual(await listGpus({ ...env, CUDA_VISIBLE_DEVICES: "" }), []);
  writeFileSync(program, "#!/bin/sh\nprintf '0, Tesla T4, 15360\\n'; exit 9\n");
  assert.deepEqual(await listGpus(env), []);
  writeFileSync(program, "#!/bin/sh\nexec sleep 60\n");
  const impatient = new AbortController();
  const listing = listGpus(env, impatient.signal);
  impatient.abort();
  assert.deepEqual(await listing, []);
});

test("this machine has something of everything", () => {
  const { cpuMillis, memoryBytes, diskBytes } = readBasics(join(tmpdir(), "not", "made", "yet"));
  assert.ok(cpuMillis >= 1_000 && Number.isInteger(cpuMillis), String(cpuMillis));
  assert.ok(memoryBytes > 2 ** 27 && Number.isInteger(memoryBytes), String(memoryBytes));
  assert.ok(diskBytes > 0 && Number.isInteger(diskBytes), String(diskBytes));
});
