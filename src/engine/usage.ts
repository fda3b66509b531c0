// How much of the machine each run and project has under way, for fair shares. An action that has made
// calls counts no more: what it waits for does.
import type { ActionKey } from "../core/action.ts";
import type { Machine, Resources } from "../core/resources.ts";

type Entry = { readonly project: string; weight: number };

export class Usage {
  /** Of each run, by the action's name. */
  readonly #started = new Map<number, Map<string, Entry>>();
  readonly #byRun = new Map<number, number>();
  readonly #byProject = new Map<string, number>();

  start(key: ActionKey, project: string, weight: number): void {
    this.end(key);
    const entry = { project, weight };
    const ofRun = this.#started.get(key.run);
    if (ofRun === undefined) this.#started.set(key.run, new Map([[key.name, entry]]));
    else ofRun.set(key.name, entry);
    this.#add(key.run, project, weight);
  }

  /** The action has called others. */
  calls({ run, name }: ActionKey): void {
    const entry = this.#started.get(run)?.get(name);
    if (entry === undefined || entry.weight === 0) return;
    this.#add(run, entry.project, -entry.weight);
    entry.weight = 0;
  }

  end({ run, name }: ActionKey): void {
    const ofRun = this.#started.get(run);
    const entry = ofRun?.get(name);
    if (entry === undefined) return;
    ofRun?.delete(name);
    this.#add(run, entry.project, -entry.weight);
  }

  ofRun(run: number): number {
    return this.#byRun.get(run) ?? 0;
  }

  ofProject(project: string): number {
    return this.#byProject.get(project) ?? 0;
  }

  forget(run: number): void {
    for (const { project, weight } of this.#started.get(run)?.values() ?? []) this.#add(run, project, -weight);
    this.#started.delete(run);
    this.#byRun.delete(run);
  }

  #add(run: number, project: string, weight: number): void {
    if (weight === 0) return;
    this.#byRun.set(run, (this.#byRun.get(run) ?? 0) + weight);
    this.#byProject.set(project, (this.#byProject.get(project) ?? 0) + weight);
  }
}

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
