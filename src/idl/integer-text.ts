// Integers within int64, as decimal text.
const least = -(2n ** 63n);
const greatest = 2n ** 63n - 1n;

export const isInt64 = (value: bigint): boolean => value >= least && value <= greatest;

/** Strict: digits and a sign. Null if it is no integer, or too large. */
export function integerFromText(text: string): bigint | null {
  if (!/^[+-]?\d{1,19}$/.test(text)) return null;
  const value = BigInt(text.startsWith("+") ? text.slice(1) : text);
  return isInt64(value) ? value : null;
}

/** As JSON carries it: a number where that is exact, else decimal text. */
export const integerToJson = (value: bigint): number | string => {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
};
