// The variables that a command of a shell task starts with.
import type { Launch } from "../core/messages.ts";
import type { ShellWords } from "./shell-inputs.ts";

/** process.ts R3. `gpus`: which it may see; if it was given none, the task may say itself what it is to see. */
export function shellEnvironment(
  launch: Launch,
  words: ShellWords,
  cwd: string,
  gpus: { readonly [name: string]: string },
): NodeJS.ProcessEnv {
  const { spec, resources } = launch;
  const own = { ...spec.env, ...(spec.target.type === "shell" ? spec.target.env : {}) };
  const isGiven = (resources.gpus?.count ?? 0) > 0;
  return {
    ...process.env,
    ...(isGiven ? own : { ...gpus, ...own }),
    ...(isGiven ? gpus : {}),
    ...words,
    PWD: cwd,
    GODWIT_RUN: launch.runName,
    GODWIT_ACTION: launch.action,
    GODWIT_ATTEMPT: String(launch.attempt),
    GODWIT_SEED: String(launch.seed),
    GODWIT_PROJECT_DIR: launch.projectDir,
  };
}
