// Progress of a running task: the latest is told, a few times a second at most.
import type { Attach } from "../core/messages.ts";
import type { TaskLog } from "./context.ts";
import type { Session } from "./session.ts";

/** What lies between two reports: people see ten a second as motion, and a commit each is cheap. */
const intervalMs = 100;

export type ProgressReporter = {
  report(fraction: number | null, message: string | null): void;
  /** Resolves when the latest has been told. */
  settle(): Promise<void>;
};

export function progressReporter(session: Session, log: TaskLog): ProgressReporter {
  let latest: Attach | null = null;
  let sending: Promise<void> | null = null;
  const send = async (): Promise<void> => {
    while (latest !== null) {
      const attach = latest;
      latest = null;
      try {
        await session.attach(attach);
      } catch (error) {
        if (session.signal.aborted) break;
        log.warn(`Progress could not be recorded: ${error instanceof Error ? error.message : String(error)}`);
        break;
      }
      if (latest !== null) await new Promise((resolve) => setTimeout(resolve, intervalMs).unref());
    }
    sending = null;
  };
  return {
    report: (fraction, message) => {
      latest = { type: "progress", fraction, message };
      sending ??= send();
    },
    settle: async () => {
      await sending;
    },
  };
}
