// Merges ordered lists of keys, reading no more of each than the result needs. So "the first hundred
// of ten thousand runs" reads some hundred keys beyond one per run.

/** A row's place in an order: numbers compared from the left, its id last. Descending orders negate. */
export type OrderKey = readonly number[];

/** Before the first row of any order of two numbers. */
export const beforeAll: OrderKey = [Number.MIN_SAFE_INTEGER, 0];

// Keys of one list read at a time: few at first, as most lists of a merge give one or none.
const firstPage = 8;
const maxPage = 512;

/** The keys of one list; `read` gives those after a key, in order, at most so many. */
export function* keysOf(read: (after: OrderKey | null, limit: number) => readonly OrderKey[]): Generator<OrderKey> {
  let after: OrderKey | null = null;
  for (let size = firstPage; ; size = Math.min(size * 4, maxPage)) {
    const page = read(after, size);
    yield* page;
    if (page.length < size) return;
    after = page[page.length - 1] as OrderKey;
  }
}

/** The first `limit` keys of all lists together, in order. */
export function mergeKeys(lists: readonly Iterator<OrderKey>[], limit: number): readonly OrderKey[] {
  const keys: OrderKey[] = [];
  if (limit === 0) return keys;
  for (const key of merged(lists)) {
    keys.push(key);
    if (keys.length === limit) break;
  }
  return keys;
}

/** The keys of all lists together, in order. */
export function* merged(lists: readonly Iterator<OrderKey>[]): Generator<OrderKey> {
  const heads: Head[] = [];
  for (const list of lists) {
    const { value, done } = list.next();
    if (done !== true) heads.push({ key: value, list });
  }
  // The first of all at the end, where it is cheap to take.
  heads.sort((a, b) => compareKeys(b.key, a.key));
  for (let head = heads.pop(); head !== undefined; head = heads.pop()) {
    yield head.key;
    const { value, done } = head.list.next();
    if (done !== true) heads.splice(placeOf(heads, value), 0, { key: value, list: head.list });
  }
}

type Head = { readonly key: OrderKey; readonly list: Iterator<OrderKey> };

function placeOf(heads: readonly Head[], key: OrderKey): number {
  let low = 0;
  let high = heads.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareKeys((heads[middle] as Head).key, key) > 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compareKeys(a: OrderKey, b: OrderKey): number {
  for (let index = 0; index < a.length; index++) {
    const difference = (a[index] as number) - (b[index] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
