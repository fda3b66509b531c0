// Files of tasks that are deployed again whenever something near them changes.
//
// R1  What is wrong with the code is told, and the server stays up: the next change tries again.
// R2  An editor saves in several steps, and several files at once: what comes within a moment is one change. A change
//     that comes while one is being deployed is deployed after it.
import { type FSWatcher, readdirSync, watch } from "node:fs";
import { dirname, join } from "node:path";

export type Redeployment = {
  /** Absolute. */
  readonly files: readonly string[];
  readonly deploy: (file: string) => Promise<void>;
  /** R1. */
  readonly onError: (file: string, error: unknown) => void;
};

/** R2. */
const momentMs = 150;
/** Of directories beside and below the files: more are not looked at. */
const maxDirectories = 500;
const isSource = (name: string): boolean => /\.([cm]?[jt]sx?|json)$/.test(name);

/** Deploys them now and with every change. Returns how to stop, which waits for what is under way. */
export async function keepDeployed({ files, deploy, onError }: Redeployment): Promise<() => Promise<void>> {
  let isStopped = false;
  let timer: NodeJS.Timeout | null = null;
  let isStale = false;
  let work: Promise<void> | null = null;
  const deployAll = async (): Promise<void> => {
    for (const file of files) if (!isStopped) await deploy(file).catch((error: unknown) => onError(file, error));
  };
  const run = (): void => {
    if (work !== null) {
      isStale = true;
      return;
    }
    work = deployAll().finally(() => {
      work = null;
      if (!isStale || isStopped) return;
      isStale = false;
      run();
    });
  };
  const watchers = [...new Set(files.flatMap((file) => directoriesBelow(dirname(file))))].map((directory) =>
    watched(directory, (name) => {
      if (!isSource(name)) return;
      if (timer !== null) clearTimeout(timer);
      timer = setTimeout(run, momentMs);
    }),
  );
  run();
  return async () => {
    isStopped = true;
    if (timer !== null) clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
    await work;
  };
}

function watched(directory: string, onChange: (name: string) => void): FSWatcher {
  const watcher = watch(directory, (_event, name) => onChange(name ?? ""));
  // A directory that is removed is watched no longer.
  watcher.on("error", () => watcher.close());
  return watcher;
}

/** Packages and hidden directories are left out: nobody edits them. */
function directoriesBelow(top: string): readonly string[] {
  const found = [top];
  for (let at = 0; at < found.length && found.length < maxDirectories; at++) {
    const directory = found[at] as string;
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const isHidden = entry.name.startsWith(".") || entry.name === "node_modules";
      if (entry.isDirectory() && !isHidden) found.push(join(directory, entry.name));
    }
  }
  return found.slice(0, maxDirectories);
}
