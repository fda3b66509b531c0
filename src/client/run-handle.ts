// A run as programs hold it: with the values that its task gives, as the task's own types have them.
import { isSuccess, isTerminal, type Phase } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import { rootName } from "../core/names.ts";
import type { Literals } from "../core/value.ts";
import { literalToJson } from "../idl/idl.ts";
import { TaskError } from "../sdk/errors.ts";
import type { Client } from "./client.ts";
import { remoteControl } from "./remote-control.ts";
import type { RemoteRun, RunUpdate } from "./remote-run.ts";

export type LoggedLine = { readonly atMs: number; readonly attempt: number; readonly text: string };

/** The protocol's project and domain are those of the client. */
const nowhere = { project: "", domain: "", caller: "" };

export class RunHandle<Outputs> {
  readonly name: string;
  readonly #client: Client;
  readonly #run: RemoteRun;
  readonly #decode: (literals: Literals) => unknown;

  /** Without `decode`, outputs are plain JSON by name. */
  constructor(client: Client, name: string, decode: ((literals: Literals) => unknown) | null) {
    this.#client = client;
    this.name = name;
    this.#run = client.run(name);
    this.#decode = decode ?? plainValues;
  }

  async phase(): Promise<Phase> {
    return (await this.#run.read()).phase;
  }

  /** What there is, then what changes, until the run has ended; a lost connection is made again. */
  watch(signal?: AbortSignal): AsyncIterable<RunUpdate> {
    return this.#run.watch(signal);
  }

  /** Waits for the end. Rejects with `TaskError` if the run did not succeed. */
  async outputs(signal?: AbortSignal): Promise<Outputs> {
    const { phase } = await this.#run.ended(signal);
    if (!isTerminal(phase))
      throw new GodwitError("canceled", `The run ${this.name} is ${phase}; nobody waits for it any more.`);
    const view = await this.#run.action();
    if (!isSuccess(phase)) {
      const { error, attempt } = view.action;
      const task = view.spec?.name ?? this.name;
      if (error !== null) throw new TaskError({ task, action: rootName, attempt }, error);
      throw new GodwitError("aborted", `The run ${this.name} ended as ${phase}.`);
    }
    const { outputs } = await this.#run.values(view);
    return this.#decode(outputs ?? {}) as Outputs;
  }

  /** Of one action, by name or label. With `follow`, until it has ended. */
  async *logs(
    options: { readonly action?: string; readonly follow?: boolean; readonly signal?: AbortSignal } = {},
  ): AsyncIterable<LoggedLine> {
    const { action = rootName, follow = false, signal = new AbortController().signal } = options;
    const read = remoteControl(this.#client).logs(nowhere, this.name, action, { follow, signal });
    for await (const { attempt, line } of read) yield { atMs: line.atMs, attempt, text: line.text };
  }

  async abort(reason = "Aborted by a program."): Promise<void> {
    await this.#run.abort(reason);
  }

  /** Answers what the run waits for. */
  async signal(condition: string, value: boolean | number | string): Promise<void> {
    await remoteControl(this.#client).signal(nowhere, this.name, condition, value);
  }

  /** A new run with the same task, code and inputs; with `recover`, what succeeded is taken over. */
  async rerun(options: { readonly recover?: boolean; readonly name?: string } = {}): Promise<RunHandle<Outputs>> {
    const { recover = false, name } = options;
    const related = { run: this.name, recovers: recover };
    const run = await this.#client.rerun(this.name, { related, ...(name === undefined ? {} : { name }) });
    return new RunHandle<Outputs>(this.#client, run.name, this.#decode);
  }
}

/** Files and tables that lie on the server are where they lie. */
const plainValues = (literals: Literals): unknown =>
  Object.fromEntries(Object.entries(literals).map(([name, literal]) => [name, literalToJson(literal)]));
