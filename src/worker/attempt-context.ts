// The context of a running attempt. What most tasks never look at is made when it is first asked for.
import type { LogLine } from "../core/messages.ts";
import { SessionCheckpoint, type TaskCheckpoint } from "../sdk/checkpoint.ts";
import { type Context, checkFraction, randomFrom, type TaskLog, taskLog } from "../sdk/context.ts";
import { type ProgressReporter, progressReporter } from "../sdk/progress.ts";
import { SessionReport, type TaskReport } from "../sdk/report.ts";
import type { Session } from "../sdk/session.ts";

/** Where its lines go. */
export type LogHost = { log(line: LogLine): void; nowMs(): number };

export class AttemptContext implements Context {
  readonly action: string;
  readonly task: string;
  readonly attempt: number;
  readonly seed: number;
  readonly #session: Session;
  readonly #host: LogHost;
  #log: TaskLog | null = null;
  #random: (() => number) | null = null;
  #progress: ProgressReporter | null = null;
  #checkpoint: TaskCheckpoint | null = null;
  #report: SessionReport | null = null;

  constructor(session: Session, host: LogHost) {
    const { action, spec, attempt, seed } = session.launch;
    this.action = action;
    this.task = spec.name;
    this.attempt = attempt;
    this.seed = seed;
    this.#session = session;
    this.#host = host;
  }

  get run(): Context["run"] {
    const { runName: name, project, domain } = this.#session.launch;
    return { name, project, domain };
  }

  get signal(): AbortSignal {
    return this.#session.signal;
  }

  get log(): TaskLog {
    this.#log ??= taskLog(
      (line) => this.#host.log(line),
      () => this.#host.nowMs(),
    );
    return this.#log;
  }

  get random(): () => number {
    this.#random ??= randomFrom(this.seed);
    return this.#random;
  }

  get progress(): Context["progress"] {
    return (fraction, message) => {
      checkFraction(fraction);
      this.#progress ??= progressReporter(this.#session, this.log);
      this.#progress.report(fraction, message ?? null);
    };
  }

  get checkpoint(): TaskCheckpoint {
    this.#checkpoint ??= new SessionCheckpoint(this.#session);
    return this.#checkpoint;
  }

  get report(): TaskReport {
    this.#report ??= new SessionReport(this.#session);
    return this.#report;
  }

  /** What was told last is recorded, before the attempt's outcome is. */
  async settle(): Promise<void> {
    await this.#report?.flush();
    await this.#progress?.settle();
  }

  /** Whether `settle` has anything to do. */
  get isSettled(): boolean {
    return this.#report === null && this.#progress === null;
  }
}
