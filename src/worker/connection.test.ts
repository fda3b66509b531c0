// What an attempt asks goes out under a number, and what comes back finds it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallState } from "../core/messages.ts";
import { Connection } from "./connection.ts";
import { type FromWorker, maxRequestsInFlight } from "./protocol.ts";

const attempt = { run: 1, action: "a", attempt: 1 };
const state = (name: string): CallState => ({ name, phase: "succeeded", attempt: 1, outputs: null, error: null });

function connected() {
  const sent: FromWorker[] = [];
  return { sent, connection: new Connection((message) => sent.push(message)) };
}

test("answers find their requests in whatever order they come", async () => {
  const { sent, connection } = connected();
  const first = connection.call(attempt, []);
  const second = connection.attach({ ...attempt, extra: "not for the pipe" } as typeof attempt, {
    type: "report",
    digest: "d",
  });
  const third = connection.abortCalls(attempt, ["b"], "no need");
  assert.deepEqual(sent[1], { type: "attach", request: 2, attempt, attach: { type: "report", digest: "d" } });
  connection.receive({ type: "refused", request: 3, code: "unavailable", message: "closing" });
  connection.receive({ type: "done", request: 2 });
  connection.receive({ type: "answer", request: 1, answers: [state("b")] });
  assert.deepEqual(await first, [state("b")]);
  assert.equal(await second, undefined);
  await assert.rejects(third, { code: "unavailable", message: "closing" });
});

test("requests over the bound wait their turn", async () => {
  const { sent, connection } = connected();
  const asked = Array.from({ length: maxRequestsInFlight + 2 }, () => connection.call(attempt, []));
  assert.equal(sent.length, maxRequestsInFlight);
  for (let request = 1; request <= asked.length; request++)
    connection.receive({ type: "answer", request, answers: [] });
  await Promise.all(asked);
  assert.equal(sent.length, maxRequestsInFlight + 2);
});

test("a request that cannot be sent is refused, and holds no one up", async () => {
  const connection = new Connection(() => {
    throw new RangeError("too long");
  });
  for (let index = 0; index < maxRequestsInFlight + 1; index++)
    await assert.rejects(connection.call(attempt, []), RangeError);
});

test("ends are followed from the moment of asking until the signal, batch by batch", async () => {
  const { connection } = connected();
  const following = new AbortController();
  const followed = connection.follow(attempt, following.signal);
  connection.receive({ type: "ended", attempt: "1/a/1", calls: [state("b")] });
  connection.receive({ type: "ended", attempt: "1/other/1", calls: [state("x")] });
  connection.receive({ type: "ended", attempt: "1/a/1", calls: [state("c"), state("d")] });
  const names: string[] = [];
  for await (const batch of followed) {
    names.push(batch.map(({ name }) => name).join(" "));
    if (names.length === 2) setImmediate(() => following.abort());
  }
  assert.deepEqual(names, ["b", "c d"]);
});

test("a following that breaks off says why", async () => {
  const { connection } = connected();
  const followed = connection.follow(attempt, new AbortController().signal);
  const next = followed[Symbol.asyncIterator]().next();
  connection.receive({ type: "unfollowed", attempt: "1/a/1", code: "unavailable", message: "closing" });
  await assert.rejects(next, { code: "unavailable" });
});
