// What goes on without anybody asking at the time: triggers, backfills and notifications are looked after
// from start to stop. Runs that are started are not served here; whoever serves all runs finds them.
import { randomBytes } from "node:crypto";
import type { BlobStore } from "../blob/blob.ts";
import type { Clock } from "../core/clock.ts";
import type { CronTicks } from "../core/schedule.ts";
import { Documents } from "../store/documents.ts";
import type { Store } from "../store/store.ts";
import { backfillWork } from "./backfills.ts";
import { DueRecords } from "./due-records.ts";
import { noticeWork, type SendNotice } from "./notices.ts";
import type { TriggerParts } from "./tick-runs.ts";
import { triggerWork } from "./triggers.ts";

export type AutomationOptions = {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly clock: Clock;
  readonly cron: CronTicks;
  readonly send: SendNotice;
  /** Told in a sentence what does not go as it should. */
  readonly onProblem: (text: string) => void;
};

export class Automation {
  readonly #all: readonly DueRecords[];

  constructor({ store, blobs, clock, cron, send, onProblem }: AutomationOptions) {
    const nowMs = (): number => clock.nowMs();
    const parts: TriggerParts = { store, blobs, cron, nowMs, randomBytes, documents: new Documents(store) };
    const works = [triggerWork(parts), backfillWork(parts), noticeWork({ store, nowMs, send })];
    this.#all = works.map((work) => new DueRecords(work, { store, clock, onProblem }));
  }

  start(): void {
    for (const each of this.#all) each.start();
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    await Promise.all(this.#all.map((each) => each.stop()));
  }

  get isIdle(): boolean {
    return this.#all.every((each) => each.isIdle);
  }

  /** All that is due by then, until nothing is: for tests, and for who has no loop. */
  async runOnce(nowMs: number): Promise<void> {
    for (const each of this.#all) while (await each.runOnce(nowMs));
  }
}
