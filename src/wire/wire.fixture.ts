// Services of the wire over a control in memory, without a network: errors are translated as the server does it.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type ConnectRouter, createRouterTransport, type Interceptor, type Transport } from "@connectrpc/connect";
import { openedControl } from "../control/records.fixture.ts";
import { connectErrorOf } from "../server/connect-error.ts";
import { openStorage } from "../storage/storage.ts";
import type { Store } from "../store/store.ts";
import { memoryBlobs } from "../testing/memory-blob.ts";
import type { WireParts } from "./parts.ts";

const translated: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    throw connectErrorOf(error, (bug) => assert.fail(String(bug)));
  }
};

export async function served(
  t: TestContext,
  service: (router: ConnectRouter, parts: WireParts) => void,
): Promise<{ readonly transport: Transport; readonly store: Store }> {
  const root = mkdtempSync(join(tmpdir(), "godwit-wire-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const { control, store } = await openedControl(t);
  const unasked = (): never => assert.fail("nobody asked for that");
  const parts: WireParts = {
    control,
    storage: await openStorage({ root, blobs: memoryBlobs() }),
    callerOf: () => "ada",
    adoptBundle: unasked,
    findImage: unasked,
    links: { answer: unasked, origin: unasked, upload: unasked, download: unasked },
  };
  const transport = createRouterTransport((router) => service(router, parts), {
    router: { interceptors: [translated] },
  });
  return { transport, store };
}
