// A session with a server, in the shape of one with a data directory here: commands ask the same of both.

import type { BlobStore } from "../blob/blob.ts";
import { Client } from "../client/client.ts";
import { remoteControl } from "../client/remote-control.ts";
import type { Control, Scope } from "../control/control.ts";
import { isTerminal } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import type { Godwit } from "../godwit.ts";
import { type CommonOptions, scopeOf } from "./place.ts";
import { Notices, type Session } from "./session.ts";
import type { Io } from "./terminal.ts";

export function clientFor(options: CommonOptions, io: Io): { readonly client: Client; readonly scope: Scope } {
  const scope = scopeOf(options, io);
  const endpoint = options.remote === undefined || options.remote === "" ? io.env.GODWIT_ENDPOINT : options.remote;
  const apiKey = io.env.GODWIT_API_KEY;
  const client = new Client({
    project: scope.project,
    domain: scope.domain,
    ...(endpoint === undefined || endpoint === "" ? {} : { endpoint }),
    ...(apiKey === undefined ? {} : { apiKey }),
  });
  return { client, scope };
}

export function remoteSession(options: CommonOptions, io: Io): Session {
  const { client, scope } = clientFor(options, io);
  return sessionWith(client, scope, io);
}

export function sessionWith(client: Client, scope: Scope, io: Io): Session {
  const control = remoteControl(client);
  const names = new Map<number, string>();
  const runOf = (id: number): string => names.get(id) ?? "";
  const known = async (scope: Scope, name: string) => {
    const run = await control.getRun(scope, name);
    names.set(run.id, name);
    return run;
  };
  const godwit: Partial<Godwit> = {
    control: refusing<Control>({ ...control, getRun: known }),
    blobs: refusing<BlobStore>({}),
    // A server serves its runs.
    isServed: () => Promise.resolve(true),
    servedBy: () => Promise.resolve({ id: client.connection.endpoint, pid: 0, isStopped: false }),
    isDone: async (id) => names.has(id) && isTerminal((await client.run(runOf(id)).read()).phase),
    close: () => Promise.resolve(),
  };
  return { godwit: refusing(godwit), scope, io, dataDir: "", notices: new Notices(io), isRemote: true };
}

/** What the protocol has no words for is refused by name, and does not look as if there were nothing. */
const refusing = <T extends object>(parts: Partial<T>): T =>
  new Proxy(parts, {
    get: (target, key) =>
      key in target || typeof key === "symbol" || key === "then"
        ? Reflect.get(target, key)
        : () => {
            throw new GodwitError("unimplemented", `A server cannot be asked for this (${String(key)}) yet.`);
          },
  }) as T;
