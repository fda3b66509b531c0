// When a failed attempt is followed by another, and after how long.
//
// R1  Three budgets, never mixed: the user's errors (the task threw), the system's (the worker died,
//     the machine ran out of something), and interruptions, which are nobody's fault (the engine was
//     stopped, or a neighbour took the process down while this attempt only waited).
// R2  The delay follows from the action and its attempt, not from chance, so that a replay of the
//     same history gives the same times.
// R3  Running out of the memory that was asked for costs no budget while `onOom` still gives more; at
//     its most, or without it, it is the user's error.
import { sha256Hex } from "./hash.ts";

export type RetryPolicy = {
  /** Tries after the first that a user's errors may cost. */
  readonly user: number;
  /** Tries after the first that the system's errors may cost. */
  readonly system: number;
  readonly backoff: Backoff;
  /** Left out: no more memory is given than was asked for. */
  readonly onOom?: OomPolicy;
};

/** Each attempt after one that ran out of memory gets `factor` times as much, at most `maxBytes`. */
export type OomPolicy = { readonly factor: number; readonly maxBytes: number };

/** The n-th retry waits `baseMs * factor^(n-1)`, at most `capMs`, less a jitter of up to half. */
export type Backoff = { readonly baseMs: number; readonly factor: number; readonly capMs: number };

export const defaultBackoff: Backoff = { baseMs: 1_000, factor: 2, capMs: 60_000 };
export const defaultRetries: RetryPolicy = { user: 0, system: 3, backoff: defaultBackoff };

/** A run may be stopped and resumed this often within one action; only a crash loop gets here. */
export const maxInterruptions = 10_000;

/** Between half and all of the exponential delay, in milliseconds (R2). `retry` counts from 1. */
export function backoffMs(backoff: Backoff, retry: number, seed: string): number {
  const full =
    backoff.baseMs === 0 ? 0 : Math.min(backoff.capMs, backoff.baseMs * backoff.factor ** Math.min(retry - 1, 64));
  const fraction = Number.parseInt(sha256Hex(`${seed}:${retry}`).slice(0, 8), 16) / 0xffff_ffff;
  return Math.round(full * (0.5 + fraction / 2));
}
