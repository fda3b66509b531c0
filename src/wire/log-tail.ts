// What an attempt prints, as it is printed; the stream ends when the attempt has, and all was told.
import { LogLineOriginator } from "#idl/flyteidl2/logs/dataplane/payload_pb.js";
import type { LogRead } from "../control/control.ts";
import { GodwitError } from "../core/error.ts";
import { timestampOfMs } from "../idl/time-message.ts";
import type { ActionRef } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

/** Lines in one message. */
const maxLines = 500;

export async function* tailLogs(
  { control }: WireParts,
  { scope, run, action }: ActionRef,
  attempt: number,
  signal: AbortSignal,
) {
  const { action: row } = await control.getAction(scope, run, { name: action });
  const wanted = attempt === 0 ? Math.max(row.attempt, 1) : attempt;
  // Clients ask again for a while: an attempt may be about to begin.
  if (wanted > Math.max(row.attempt, 1))
    throw new GodwitError("not_found", `The action ${action} of ${run} has had no attempt ${wanted} yet.`);
  const lines = control.logs(scope, run, { name: action }, { attempt: wanted, follow: true, signal });
  for await (const batch of batches(lines)) yield { logs: [{ lines: batch.map(lineMessage) }] };
}

/** What is there together goes together. */
async function* batches(lines: AsyncIterable<LogRead>): AsyncIterable<readonly LogRead[]> {
  const iterator = lines[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    for (;;) {
      const first = await next;
      if (first.done === true) return;
      const batch = [first.value];
      next = iterator.next();
      for (;;) {
        const more = await Promise.race([next, nothingYet()]);
        if (more === null || more.done === true || batch.length >= maxLines) break;
        batch.push(more.value);
        next = iterator.next();
      }
      // Whoever reads slowly hears of a failure when it asks again.
      next.catch(() => {});
      yield batch;
    }
  } finally {
    await iterator.return?.();
  }
}

const nothingYet = (): Promise<null> => new Promise((resolve) => setImmediate(() => resolve(null)));

/** With the line's end: the SDK prints messages as they are. */
const lineMessage = ({ line }: LogRead) => ({
  timestamp: timestampOfMs(line.atMs),
  message: `${line.text}\n`,
  originator: LogLineOriginator.USER,
});
