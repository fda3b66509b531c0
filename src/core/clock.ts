// Time as an argument: what reads the clock or waits for a moment gets one of these.

export interface Clock {
  nowMs(): number;
  /** Calls back once at or after that moment. Returns how to call it off. Does not keep the process alive. */
  at(atMs: number, callback: () => void): () => void;
}
