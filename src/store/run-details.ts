// What a run says of where it comes from, as one column: only what is not as in most runs.
import { plainOrigin, type Run } from "../core/run.ts";

type Details = Pick<Run, "labels" | "origin">;

export function detailsText({ labels, origin, createdAtMs }: Run): string {
  const plain: Details["origin"] = plainOrigin(createdAtMs);
  const said = Object.entries(origin).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(plain[key as keyof typeof plain]),
  );
  return JSON.stringify({
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(said.length === 0 ? {} : { origin: Object.fromEntries(said) }),
  });
}

/** Runs of older files say nothing. */
export function detailsOf(text: string, createdAtMs: number): Details {
  const { labels = {}, origin = {} } = JSON.parse(text) as Partial<Details>;
  return { labels, origin: { ...plainOrigin(createdAtMs), ...origin } };
}
