// How much of the machine each run and project has under way, for fair shares. An action that has made
// calls counts no more: what it waits for does.
import type { ActionKey } from "../core/action.ts";
import type { Machine, Resources } from "../core/resources.ts";

type Entry = { readonly run: number; readonly project: string; weight: number };

export class Usage {
  readonly #started = new Map<string, Entry>();
  readonly #byRun = new Map<number, number>();
  readonly #byProject = new Map<string, number>();

  start(key: ActionKey, project: string, weight: number): void {
    this.end(key);
    this.#started.set(keyOf(key), { run: key.run, project, weight });
    this.#add(key.run, project, weight);
  }

  /** The action has called others. */
  calls(key: ActionKey): void {
    const entry = this.#started.get(keyOf(key));
    if (entry === undefined || entry.weight === 0) return;
    this.#add(entry.run, entry.project, -entry.weight);
    entry.weight = 0;
  }

  end(key: ActionKey): void {
    const entry = this.#started.get(keyOf(key));
    if (entry === undefined) return;
    this.#started.delete(keyOf(key));
    this.#add(entry.run, entry.project, -entry.weight);
  }

  ofRun(run: number): number {
    return this.#byRun.get(run) ?? 0;
  }

  ofProject(project: string): number {
    return this.#byProject.get(project) ?? 0;
  }

  forget(run: number): void {
    for (const [key, entry] of this.#started) {
      if (entry.run !== run) continue;
      this.#started.delete(key);
      this.#add(run, entry.project, -entry.weight);
    }
    this.#byRun.delete(run);
  }

  #add(run: number, project: string, weight: number): void {
    this.#byRun.set(run, (this.#byRun.get(run) ?? 0) + weight);
    this.#byProject.set(project, (this.#byProject.get(project) ?? 0) + weight);
  }
}

const keyOf = ({ run, name }: ActionKey): string => `${run}/${name}`;

/** The largest part of any one kind of resource that these take: what a share is measured in. */
export function weightOf(resources: Resources, machine: Machine): number {
  const part = (asked: number, total: number): number => (asked === 0 ? 0 : total === 0 ? 1 : asked / total);
  return Math.max(
    part(resources.cpuMillis, machine.cpuMillis),
    part(resources.memoryBytes ?? 0, machine.memoryBytes),
    part(resources.diskBytes ?? 0, machine.diskBytes),
    part(resources.gpus?.count ?? 0, machine.gpus.length),
    ...Object.entries(resources.tokens ?? {}).map(([name, asked]) => part(asked, machine.tokens[name] ?? 0)),
  );
}
