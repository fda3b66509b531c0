// Disks under a store's log, for tests of what is told when: one whose syncs the test ends, and one that
// loses its power.
import { readFileSync } from "node:fs";
import type { Log } from "../store/log-file.ts";

export type HeldDisk = {
  readonly log: Log;
  /** Syncs that were begun. */
  readonly syncTotal: () => number;
  /** Ends the sync that is under way: well, or with an error. */
  readonly end: (error?: Error) => void;
  /** From now on, syncs end by themselves. */
  readonly letGo: () => void;
};

/** Each sync lasts until the test ends it. */
export function heldDisk(): HeldDisk {
  let syncTotal = 0;
  let current: PromiseWithResolvers<void> | null = null;
  let isHeld = true;
  const end: HeldDisk["end"] = (error) => {
    const ended = current;
    current = null;
    if (error === undefined) ended?.resolve();
    else ended?.reject(error);
  };
  return {
    log: {
      sync: () => {
        syncTotal++;
        if (!isHeld) return Promise.resolve();
        current = Promise.withResolvers<void>();
        return current.promise;
      },
      close: async () => {},
    },
    syncTotal: () => syncTotal,
    end,
    letGo: () => {
      isHeld = false;
      end();
    },
  };
}

export type PowerlessDisk = {
  readonly log: Log;
  /** SQLite itself has synced the log, as it does before it moves pages from there. */
  readonly synced: () => void;
  /** The log as it may be found after a power failure now. `chance` gives numbers from 0 to 1. */
  readonly afterFailure: (chance: () => number) => Buffer;
};

// What a disk writes whole.
const sectorBytes = 512;

/** Keeps of the log what was synced; of what was written since, each sector may be there or not. */
export function powerlessDisk(logPath: string, below: Log): PowerlessDisk {
  let durable: Buffer = readFileSync(logPath);
  return {
    log: {
      ...below,
      sync: async () => {
        const written = readFileSync(logPath);
        await below.sync();
        durable = written;
      },
    },
    synced: () => {
      durable = readFileSync(logPath);
    },
    afterFailure: (chance) => {
      const written = readFileSync(logPath);
      // Of the sectors, none, all, or some have come through.
      const share = [0, 1, chance()][Math.floor(chance() * 3)] as number;
      const length = durable.length + Math.floor(chance() * (written.length - durable.length + 1));
      const found = Buffer.alloc(length);
      durable.copy(found);
      for (let at = 0; at < length; at += sectorBytes) {
        if (chance() < share) written.copy(found, at, at, Math.min(at + sectorBytes, length));
      }
      return found;
    },
  };
}
