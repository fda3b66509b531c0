// Moments and durations as people write them, and as literals carry them.

const datetimePattern =
  /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?\s*([Zz]|[+-]\d{2}:?\d{2})?$/;

/**
 * RFC 3339, or a date alone (its midnight); UTC where no offset is given. Gives the text of the literal: in
 * UTC, with three digits after the second, more only if they say something. Null if it is no moment.
 */
export function datetimeFromText(text: string): string | null {
  const match = datetimePattern.exec(text.trim());
  if (match === null) return null;
  const [, date = "", minutes = "00:00", seconds = "00", fraction = "", offset = "Z"] = match;
  const midnight = new Date(`${date}T00:00:00Z`);
  // Date takes the 31st of a shorter month for the first of the next.
  if (Number.isNaN(midnight.getTime()) || !midnight.toISOString().startsWith(date)) return null;
  const zone = offset.toUpperCase() === "Z" ? "Z" : `${offset.slice(0, 3)}:${offset.slice(-2)}`;
  const moment = new Date(`${date}T${minutes}:${seconds}${zone}`);
  if (Number.isNaN(moment.getTime()) || !isCarriedYear(moment)) return null;
  const digits = fraction.replace(/0+$/, "").padEnd(3, "0");
  return `${moment.toISOString().slice(0, 19)}.${digits}Z`;
}

/** Years that RFC 3339 can write. */
export const isCarriedYear = (moment: Date): boolean => moment.getUTCFullYear() >= 0 && moment.getUTCFullYear() <= 9999;

const unitNanoseconds = {
  w: 604_800_000_000_000n,
  d: 86_400_000_000_000n,
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1_000n,
  ns: 1n,
} as const;

type Unit = keyof typeof unitNanoseconds;

const amountPattern = /(\d+)(?:\.(\d{1,9}))?(ms|us|µs|ns|w|d|h|m|s)/y;
const isoPattern = /^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,9})?)S)?)?$/;

/** `10m`, `1h30m`, `1.5s`, `-2d`, or ISO 8601 (`PT1H30M`). Whole nanoseconds as decimal text; null if it is no duration. */
export function durationFromText(text: string): string | null {
  const trimmed = text.trim();
  const isNegative = trimmed.startsWith("-");
  const body = isNegative ? trimmed.slice(1) : trimmed;
  const nanoseconds = sumOfUnits(isoAsUnits(body) ?? body);
  if (nanoseconds === null) return null;
  return String(isNegative ? -nanoseconds : nanoseconds);
}

function isoAsUnits(text: string): string | null {
  const match = isoPattern.exec(text);
  if (match === null || text.endsWith("T") || text === "P") return null;
  return (["w", "d", "h", "m", "s"] as const)
    .map((unit, index) => (match[index + 1] === undefined ? "" : `${match[index + 1]}${unit}`))
    .join("");
}

function sumOfUnits(text: string): bigint | null {
  let sum = 0n;
  let position = 0;
  while (position < text.length) {
    amountPattern.lastIndex = position;
    const match = amountPattern.exec(text);
    if (match === null) return null;
    const [whole, digits = "0", fraction = "", unit = "s"] = match;
    const size = unitNanoseconds[(unit === "µs" ? "us" : unit) as Unit];
    sum += BigInt(digits) * size + (BigInt(fraction.padEnd(9, "0")) * size) / 1_000_000_000n;
    position += whole.length;
  }
  return text === "" ? null : sum;
}

/** `1h30m`, from whole nanoseconds. Reading it gives the same duration. */
export function durationText(nanoseconds: string): string {
  let rest = BigInt(nanoseconds);
  if (rest === 0n) return "0s";
  const sign = rest < 0n ? "-" : "";
  if (rest < 0n) rest = -rest;
  let text = sign;
  for (const unit of ["h", "m", "s", "ms", "us", "ns"] as const) {
    const amount = rest / unitNanoseconds[unit];
    if (amount > 0n) text += `${amount}${unit}`;
    rest %= unitNanoseconds[unit];
  }
  return text;
}
