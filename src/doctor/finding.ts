// What an examination is asked, and what it says, one thing at a time.
import type { BlobStore } from "../blob/blob.ts";

export type Examination = {
  readonly dataDir: string;
  /** Opened when it is known that they are there. */
  readonly openBlobs: (dir: string) => Promise<BlobStore>;
  /** Reads all bytes, however many there are. */
  readonly isFull: boolean;
  readonly repairs: boolean;
  /** How far a long examination has come. */
  readonly onProgress: (text: string) => void;
  readonly nowMs: number;
};

export type Finding = {
  readonly check: string;
  /** A note asks for nothing; a problem does; "repaired" was one. */
  readonly verdict: "good" | "note" | "problem" | "repaired";
  readonly text: string;
  readonly next: string | null;
};

export const good = (check: string, text: string): Finding => ({ check, verdict: "good", text, next: null });

export const note = (check: string, text: string, next: string | null = null): Finding => ({
  check,
  verdict: "note",
  text,
  next,
});

export const problem = (check: string, text: string, next: string): Finding => ({
  check,
  verdict: "problem",
  text,
  next,
});

export const repaired = (check: string, text: string, next: string | null = null): Finding => ({
  check,
  verdict: "repaired",
  text,
  next,
});

/** Of one kind, told one by one; of more only how many there are. */
const maxTold = 20;

/** The first ones, and how many more there are. */
export function abridged(findings: readonly Finding[]): readonly Finding[] {
  const last = findings.at(-1);
  if (last === undefined || findings.length <= maxTold) return findings;
  const { check, verdict } = last;
  return [
    ...findings.slice(0, maxTold),
    { check, verdict, text: `And ${findings.length - maxTold} more of this kind.`, next: null },
  ];
}
