// Looks at the memory of process groups that have a limit, and tells when one is over it.
//
// R1  As long as somebody is watched there is a look at least every `farMs`, and every `nearMs` while
//     one of them is past half of its limit. When nobody is, there is none.
// R2  What happens between two looks is not missed in the process at the head of a group: the system
//     keeps the most that it ever held. Of its children it is missed if they have ended by the next look.
import {
  forgetPeak,
  Groups,
  groupsByPs,
  hasProc,
  type ProcessMemory,
  processMemory,
  proportionalBytes,
} from "./group-memory.ts";

const nearMs = 100;
const farMs = 250;
/** Where each look starts a process. */
const psMs = 1_000;

/** Of the limit: beyond, looks come more often. */
const nearShare = 0.5;
const killedShare = 0.9;

export type WatchOptions = {
  /** Of the process at its head, and of the group. */
  readonly pid: number;
  readonly limitBytes: number;
  /** Called once; what follows is the caller's. */
  readonly onOver: (peakBytes: number) => void;
};

export class MemoryWatch {
  readonly #watched = new Set<WatchedGroup>();
  readonly #groups = new Groups();
  #timer: NodeJS.Timeout | null = null;

  /** Not watched before it begins. */
  open(options: WatchOptions): WatchedGroup {
    return new WatchedGroup(options, (group, isWatched) => {
      if (!isWatched) this.#watched.delete(group);
      else this.#watched.add(group);
      this.#plan();
    });
  }

  #plan(): void {
    if (this.#timer !== null || this.#watched.size === 0) return;
    const isNear = [...this.#watched].some((group) => group.isNear);
    this.#timer = setTimeout(() => void this.#look(), isNear ? nearMs : hasProc ? farMs : psMs);
    // Whoever is watched keeps the process alive, not the watching.
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    if (this.#watched.size > 0) {
      const groups = hasProc ? this.#groups.look() : null;
      const sizes = groups === null ? await groupsByPs() : null;
      for (const watched of this.#watched) watched.look(groups?.get(watched.pid) ?? [], sizes?.get(watched.pid) ?? 0);
    }
    this.#timer = null;
    this.#plan();
  }
}

export class WatchedGroup {
  readonly pid: number;
  /** The most that was seen. */
  peakBytes = 0;
  readonly #options: WatchOptions;
  readonly #onChange: (group: WatchedGroup, isWatched: boolean) => void;
  /** Process → the most of it that was mapped from files. */
  readonly #mapped = new Map<number, number>();
  #lastBytes = 0;
  #isOver = false;

  constructor(options: WatchOptions, onChange: (group: WatchedGroup, isWatched: boolean) => void) {
    this.#options = options;
    this.#onChange = onChange;
    this.pid = options.pid;
  }

  get limitBytes(): number {
    return this.#options.limitBytes;
  }

  get isNear(): boolean {
    return this.#lastBytes > this.limitBytes * nearShare;
  }

  /** Who is killed there by somebody else was most likely killed for its memory. */
  get isAtLimit(): boolean {
    return this.peakBytes > this.limitBytes * killedShare;
  }

  get isOver(): boolean {
    return this.peakBytes > this.limitBytes;
  }

  look(members: readonly number[], knownBytes: number): void {
    const found = members.flatMap((pid) => {
      const memory = processMemory(pid);
      return memory === null ? [] : [{ pid, memory }];
    });
    let bytes = found.reduce((sum, { memory }) => sum + memory.residentBytes, knownBytes);
    if (bytes > this.limitBytes && found.length > 1) {
      bytes = found.reduce(
        (sum, { pid, memory }) => sum + (proportionalBytes(pid) ?? memory.residentBytes),
        knownBytes,
      );
    }
    this.#lastBytes = bytes;
    this.peakBytes = Math.max(this.peakBytes, bytes, ...found.map(({ pid, memory }) => this.#peakOf(pid, memory)));
    this.#tell();
  }

  /** R2. Reads once more: what the head holds, and the most it has held. */
  lookAtHead(): void {
    const memory = processMemory(this.pid);
    if (memory !== null)
      this.peakBytes = Math.max(this.peakBytes, memory.residentBytes, this.#peakOf(this.pid, memory));
  }

  /** Of the head, now. */
  residentBytes(): number {
    return processMemory(this.pid)?.residentBytes ?? this.#lastBytes;
  }

  /** An attempt begins; what others have taken in the same process is forgotten. */
  begin(): void {
    this.peakBytes = 0;
    this.#lastBytes = 0;
    forgetPeak(this.pid);
    this.#onChange(this, true);
  }

  end(): void {
    this.#onChange(this, false);
  }

  #peakOf(pid: number, { peakBytes, mappedBytes }: ProcessMemory): number {
    const mapped = Math.max(mappedBytes, this.#mapped.get(pid) ?? 0);
    this.#mapped.set(pid, mapped);
    return (peakBytes ?? 0) - mapped;
  }

  #tell(): void {
    if (this.#isOver || !this.isOver) return;
    this.#isOver = true;
    this.#options.onOver(this.peakBytes);
  }
}
