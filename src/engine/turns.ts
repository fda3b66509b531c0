// Whose turn it is: projects by their shares, in a project runs by priority and then in turn, in a run
// what goes first. One object is one round.
//
// R1  The project goes first that has least under way for its share.
// R2  Within a run, of equal priority and depth, what asks for much of the machine goes first, the largest
//     first: it is the hardest to place, and small work fits beside it or after it.
// R3  Priorities order the runs of one project and the actions of one run, and nothing across projects.
import type { Action } from "../core/action.ts";
import type { Shares } from "../core/resources.ts";
import { goesBefore, type LaneQueue } from "./lane-queue.ts";
import type { RunQueue } from "./ready-queue.ts";
import type { Usage } from "./usage.ts";

export type Turn = { readonly queue: RunQueue; readonly lane: LaneQueue; readonly action: Action };

type Project = {
  readonly name: string;
  readonly share: number;
  /** Priority → runs whose next action has it, in turn. */
  readonly classes: Map<number, RunQueue[]>;
  /** Under way, with what this round has added. */
  used: number;
};

export class Turns {
  readonly #projects = new Map<string, Project>();
  readonly #blocked = new Set<LaneQueue>();

  constructor(queues: Iterable<RunQueue>, usage: Usage, shares: Shares) {
    const waiting = [...queues].filter((queue) => this.#best(queue) !== null);
    waiting.sort((a, b) => usage.ofRun(a.run.id) - usage.ofRun(b.run.id) || a.run.createdAtMs - b.run.createdAtMs);
    for (const queue of waiting) {
      const { project } = queue.run;
      let entry = this.#projects.get(project);
      if (entry === undefined) {
        entry = { name: project, share: shares[project] ?? 1, classes: new Map(), used: usage.ofProject(project) };
        this.#projects.set(project, entry);
      }
      this.#enter(entry, queue);
    }
  }

  /** The caller takes the action out of its lane, or blocks the lane, before it asks again. */
  next(): Turn | null {
    for (;;) {
      const project = this.#neediest();
      if (project === null) return null;
      const priority = Math.max(...project.classes.keys());
      const queues = project.classes.get(priority) as RunQueue[];
      const queue = queues.shift() as RunQueue;
      if (queues.length === 0) project.classes.delete(priority);
      const lane = this.#best(queue);
      if (lane === null) {
        if (project.classes.size === 0) this.#projects.delete(project.name);
        continue;
      }
      const action = lane.peek() as Action;
      this.#enter(project, queue);
      // Its next action is of another class: it was put there.
      if (action.priority === priority) return { queue, lane, action };
    }
  }

  took(project: string, weight: number): void {
    const entry = this.#projects.get(project);
    if (entry !== undefined) entry.used += weight;
  }

  /** Nothing more of the lane in this round. */
  block(lane: LaneQueue): void {
    this.#blocked.add(lane);
  }

  #enter(project: Project, queue: RunQueue): void {
    const priority = this.#best(queue)?.peek()?.priority ?? 0;
    const queues = project.classes.get(priority);
    if (queues === undefined) project.classes.set(priority, [queue]);
    else queues.push(queue);
  }

  #neediest(): Project | null {
    let best: Project | null = null;
    for (const project of this.#projects.values())
      if (best === null || project.used / project.share < best.used / best.share) best = project;
    return best;
  }

  #best(queue: RunQueue): LaneQueue | null {
    let best: LaneQueue | null = null;
    let first: Action | null = null;
    for (const lane of queue.lanes.values()) {
      if (this.#blocked.has(lane)) continue;
      const action = lane.peek();
      if (action === null) continue;
      if (first === null || best === null || isNext(lane, action, best, first)) [best, first] = [lane, action];
    }
    return best;
  }
}

/** R2. Parts of the machine below this are all alike. */
const largeFrom = 0.1;

function isNext(lane: LaneQueue, action: Action, other: LaneQueue, otherAction: Action): boolean {
  const size = lane.weight < largeFrom ? 0 : lane.weight;
  const otherSize = other.weight < largeFrom ? 0 : other.weight;
  const isAlike = action.priority === otherAction.priority && action.depth === otherAction.depth;
  return isAlike && size !== otherSize ? size > otherSize : goesBefore(action, otherAction);
}
