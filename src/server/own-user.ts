// Whether a connection from this machine was opened by a process of the very user who runs the server. Such a process
// could read the data directory, keys and all, so it need not prove anything else: tasks call back this way, and
// Flyte's SDK sends no token where there is no TLS.
//
// R1  Only the system's own table of connections says so. Where there is none (outside of Linux), nobody is.
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";

const tables = ["/proc/net/tcp", "/proc/net/tcp6"];

export const canTellUsers = (): boolean => process.platform === "linux" && process.getuid !== undefined;

const answers = new WeakMap<Socket, Promise<boolean>>();

/** Looked up once for each connection. */
export function isOwnUser(socket: Socket): Promise<boolean> {
  let answer = answers.get(socket);
  if (answer === undefined) {
    answer = lookUp(socket.remotePort ?? 0, socket.localPort ?? 0);
    answers.set(socket, answer);
  }
  return answer;
}

/** R1. The other end's row: from its port to ours. */
async function lookUp(from: number, to: number): Promise<boolean> {
  if (!canTellUsers()) return false;
  const ends = new RegExp(`:${hex(from)} [0-9A-F]+:${hex(to)} `);
  for (const table of tables) {
    const text = await readFile(table, "utf8").catch(() => "");
    for (const line of text.split("\n")) {
      if (ends.test(line)) return Number(line.trim().split(/\s+/)[7]) === process.getuid?.();
    }
  }
  return false;
}

const hex = (port: number): string => port.toString(16).toUpperCase().padStart(4, "0");
