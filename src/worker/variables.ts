// Environment variables of an environment (`environment({ env })`) for its TypeScript tasks. Attempts of
// several environments share a process, so what `process.env` holds follows the attempt that asks.
//
// R1  An attempt of an environment with variables has a copy of its own: those variables over the
//     caller's. What it sets or deletes there, nobody else sees.
// R2  All other code sees the process's own: tasks of other environments, and modules while they load.
import { syncBuiltinESMExports } from "node:module";
import { current } from "../sdk/current.ts";
import type { Session } from "../sdk/session.ts";

let own: NodeJS.ProcessEnv | null = null;
const copies = new WeakMap<Session, NodeJS.ProcessEnv>();

/** Before the attempt's function is called. Attempts without variables cost nothing. */
export function provideVariables(session: Session): void {
  const { env } = session.launch.spec;
  if (Object.keys(env).length === 0) return;
  own ??= replaceProcessEnv();
  copies.set(session, { ...own, ...env });
}

function replaceProcessEnv(): NodeJS.ProcessEnv {
  const whole = process.env;
  const asked = (): NodeJS.ProcessEnv => {
    const session = current()?.session;
    return (session === undefined ? undefined : copies.get(session)) ?? whole;
  };
  process.env = new Proxy<NodeJS.ProcessEnv>(
    {},
    {
      get: (_, name) => Reflect.get(asked(), name),
      has: (_, name) => Reflect.has(asked(), name),
      // As Node does: the values of variables are text.
      set: (_, name, value) => Reflect.set(asked(), name, String(value)),
      defineProperty: (_, name, property) => Reflect.defineProperty(asked(), name, property),
      deleteProperty: (_, name) => Reflect.deleteProperty(asked(), name),
      ownKeys: () => Reflect.ownKeys(asked()),
      getOwnPropertyDescriptor: (_, name) => Reflect.getOwnPropertyDescriptor(asked(), name),
    },
  );
  // For code that imports `env` by its name.
  syncBuiltinESMExports();
  return whole;
}
