// The filters and sorts of the protocol's list requests, as clients really send them (each way is noted where it is
// read), in the words in which control is asked. What is not known is refused: a filter that is passed over shows
// what was not asked for.
import { type Filter, Filter_Function, type ListRequest, Sort_Direction } from "#idl/flyteidl2/common/list_pb.js";
import type { Phase } from "../core/action.ts";
import { phases as allPhases } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { newerFunctions } from "../idl/newer.ts";
import { phaseOf } from "../idl/phase-message.ts";

/** Rows of a page where the request says none, and the most there are on one. */
const defaultLimit = 100;
const maxLimit = 1_000;

export type Paging = { readonly limit: number; readonly token: string | null };

export function pagingOf(request: ListRequest | undefined): Paging {
  return {
    limit: rowsOf(request?.limit ?? 0),
    token: request === undefined || request.token === "" ? null : request.token,
  };
}

/** In some requests it has a sign. */
export function rowsOf(limit: number): number {
  if (limit >= 0) return limit === 0 ? defaultLimit : Math.min(limit, maxLimit);
  throw new GodwitError(
    "invalid_argument",
    `A page cannot have ${limit} rows: limit has to be 0, for the usual, or more.`,
  );
}

/** By creation alone can be sorted; `usual` if nothing is said. */
export function orderOf(request: ListRequest | undefined, usual: "newest" | "oldest" = "newest"): "newest" | "oldest" {
  const [sort] = [...(request?.sortByFields ?? []), ...(request?.sortBy === undefined ? [] : [request.sortBy])];
  if (sort === undefined || sort.key === "") return usual;
  if (sort.key !== "created_at")
    throw new GodwitError("invalid_argument", `Sorting by "${sort.key}" is not possible; by "created_at" it is.`);
  return sort.direction === Sort_Direction.ASCENDING ? "oldest" : "newest";
}

/** EQUAL may come with the digits of one number as values of their own: that is how the Python client sends it. */
export function phasesOf({ function: how, values }: Filter): readonly Phase[] {
  const numbers = how === Filter_Function.EQUAL ? [values.join("")] : values;
  const named = numbers.map((text) => phaseOf(numberOf(text)));
  switch (how) {
    case Filter_Function.EQUAL:
    case Filter_Function.VALUE_IN:
      return named;
    case Filter_Function.NOT_EQUAL:
    case newerFunctions.valueNotIn:
      return allPhases.filter((phase) => !named.includes(phase));
    default:
      throw unsuited("phase", how);
  }
}

function numberOf(text: string): number {
  const number = Number(text);
  if (text !== "" && Number.isInteger(number)) return number;
  throw new GodwitError("invalid_argument", `A phase is filtered by its number, not by ${JSON.stringify(text)}.`);
}

export function equalTo({ field, function: how, values }: Filter): string {
  const [value] = values;
  if ((how === Filter_Function.EQUAL || how === Filter_Function.VALUE_IN) && values.length === 1 && value !== undefined)
    return value;
  throw unsuited(field, how);
}

export function containedIn({ field, function: how, values }: Filter): string {
  const [value] = values;
  const fits: readonly Filter_Function[] = [
    Filter_Function.EQUAL,
    Filter_Function.CONTAINS,
    Filter_Function.CONTAINS_CASE_INSENSITIVE,
  ];
  if (fits.includes(how) && values.length === 1 && value !== undefined) return value;
  throw unsuited(field, how);
}

export type TimeRange = { readonly fromMs?: number; readonly beforeMs?: number };

/** ISO 8601, whole or with a fraction of seconds. Bounds that were given before hold, too. */
export function withBound(range: TimeRange, filter: Filter): TimeRange {
  const { fromMs, beforeMs } = boundOf(filter);
  return {
    ...range,
    ...(fromMs === undefined ? {} : { fromMs: Math.max(fromMs, range.fromMs ?? fromMs) }),
    ...(beforeMs === undefined ? {} : { beforeMs: Math.min(beforeMs, range.beforeMs ?? beforeMs) }),
  };
}

function boundOf({ field, function: how, values }: Filter): TimeRange {
  const atMs = Date.parse(values[0] ?? "");
  if (Number.isNaN(atMs) || values.length !== 1)
    throw new GodwitError("invalid_argument", `The filter of ${field} takes one moment like 2026-11-27T23:00:00Z.`);
  switch (how) {
    case Filter_Function.GREATER_THAN_OR_EQUAL:
      return { fromMs: atMs };
    case Filter_Function.GREATER_THAN:
      return { fromMs: atMs + 1 };
    case Filter_Function.LESS_THAN:
      return { beforeMs: atMs };
    case Filter_Function.LESS_THAN_OR_EQUAL:
      return { beforeMs: atMs + 1 };
    default:
      throw unsuited(field, how);
  }
}

export const unsuited = (field: string, how: Filter_Function): GodwitError =>
  new GodwitError(
    "invalid_argument",
    `The field ${field} cannot be filtered with ${Filter_Function[how] ?? `function ${how}`} and these values.`,
  );

export const unknownField = (field: string, known: readonly string[]): GodwitError =>
  new GodwitError("invalid_argument", `There is no filter of "${field}" here. It has: ${known.join(", ")}.`);
