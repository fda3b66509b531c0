// Calls from the moment that the port is open: what carries and answers them (Connect, the protocol's messages) is
// loaded then, and those that come before it is there wait.
//
// R1  Who waits is counted as under way: within the bound, and for an orderly end.
// R2  What cannot be loaded is told, in the log and to each who asks; it is tried again for the next.
import { leaveUnread } from "./body.ts";
import type { NodeRequest, NodeResponse } from "./port.ts";
import { refuse } from "./refusal.ts";
import type { Rpc } from "./rpc.ts";

export type CallsOptions = {
  readonly load: () => Promise<Rpc>;
  readonly maxCalls: number;
  readonly onProblem: (error: unknown) => void;
  /** What looks like a call and is none. */
  readonly otherwise: (request: NodeRequest, response: NodeResponse) => void;
};

/** `/some.package.Service/Method`: only calls look so. */
const looksLikeCall = /^\/[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)+\/[A-Za-z0-9_]+(\?|$)/;

export class Calls {
  readonly #options: CallsOptions;
  #rpc: Rpc | null = null;
  #loading: Promise<Rpc> | null = null;
  #end: "no" | "streams" | "all" = "no";
  #waiting = 0;
  #noneWaits: PromiseWithResolvers<void> | null = null;

  constructor(options: CallsOptions) {
    this.#options = options;
  }

  /** R2. */
  async load(): Promise<void> {
    await this.#loaded();
  }

  takes(request: NodeRequest): boolean {
    return looksLikeCall.test(request.url ?? "");
  }

  serve(request: NodeRequest, response: NodeResponse): void {
    if (this.#rpc !== null) this.#pass(this.#rpc, request, response);
    else if (this.#waiting >= this.#options.maxCalls) {
      const message = `This server is starting, and ${this.#options.maxCalls} calls wait for it. Try again later.`;
      refuse(request, response, "resource_exhausted", message);
      leaveUnread(request, response);
    } else void this.#wait(request, response);
  }

  open(): number {
    return this.#waiting + (this.#rpc?.open() ?? 0);
  }

  stopStreams(): void {
    this.#end = "streams";
    this.#rpc?.stopStreams();
  }

  stopAll(): void {
    this.#end = "all";
    this.#rpc?.stopAll();
  }

  async idle(): Promise<void> {
    if (this.#waiting > 0) {
      this.#noneWaits ??= Promise.withResolvers();
      await this.#noneWaits.promise;
    }
    // What it opens meanwhile is somebody else's to close.
    await this.#loading?.catch(() => {});
    await this.#rpc?.idle();
  }

  #loaded(): Promise<Rpc> {
    this.#loading ??= this.#load();
    return this.#loading;
  }

  async #load(): Promise<Rpc> {
    try {
      const rpc = await this.#options.load();
      if (this.#end !== "no") rpc.stopStreams();
      if (this.#end === "all") rpc.stopAll();
      this.#rpc = rpc;
      return rpc;
    } catch (error) {
      this.#loading = null;
      this.#options.onProblem(error);
      throw error;
    }
  }

  /** R1. */
  async #wait(request: NodeRequest, response: NodeResponse): Promise<void> {
    this.#waiting++;
    let isGone = false;
    response.once("close", () => {
      isGone = true;
    });
    try {
      const rpc = await this.#loaded();
      // Whoever has gone meanwhile is not served: nobody would be told that its handler may end.
      if (!isGone) this.#pass(rpc, request, response);
    } catch {
      // R2: the log has it.
      if (isGone) return;
      refuse(request, response, "internal", "What answers calls could not be loaded; the server's log says more.");
      leaveUnread(request, response);
    } finally {
      this.#waiting--;
      if (this.#waiting === 0) this.#noneWaits?.resolve();
    }
  }

  #pass(rpc: Rpc, request: NodeRequest, response: NodeResponse): void {
    if (rpc.takes(request)) rpc.serve(request, response);
    else this.#options.otherwise(request, response);
  }
}
