// Moments as people write them after a flag, and as they read them in a list: in UTC, unless they say otherwise.
import { usageError } from "./error-report.ts";

/** `2026-03-01`, `2026-03-01T06:30`, `2026-03-01T06:30:00+01:00`. */
export function momentMs(text: string, flag: string): number {
  const isMoment = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$/.test(text);
  const hasZone = /(Z|[+-]\d{2}:?\d{2})$/.test(text.slice(10));
  const atMs = Date.parse(text.length === 10 || hasZone ? text : `${text}Z`);
  if (isMoment && !Number.isNaN(atMs)) return atMs;
  throw usageError(`${flag} takes a day or a moment, such as 2026-03-01 or 2026-03-01T06:30:00+01:00, not "${text}".`);
}

/** `2026-03-01T06:30:00Z`. */
export const momentText = (atMs: number): string => new Date(atMs).toISOString().replace(".000Z", "Z");
