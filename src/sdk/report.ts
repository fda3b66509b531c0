// The report of an action: HTML that the task writes, kept with the action.
import { GodwitError } from "../core/error.ts";
import type { Session } from "./session.ts";

export interface TaskReport {
  /** Adds HTML to the end of the page. */
  append(html: string): void;
  /** Starts the page anew. */
  replace(html: string): void;
  /** Makes what is written so far visible; the end of the task does so by itself, however it ends. */
  flush(): Promise<void>;
}

/** 32 MiB: a page that a browser still opens. */
const maxReportLength = 32 * 1024 * 1024;

export class SessionReport implements TaskReport {
  readonly #session: Session;
  #html = "";
  #flushed = "";

  constructor(session: Session) {
    this.#session = session;
  }

  append(html: string): void {
    this.replace(this.#html + html);
  }

  replace(html: string): void {
    if (html.length > maxReportLength) {
      throw new GodwitError(
        "invalid_argument",
        `The report is longer than ${maxReportLength} characters. Save large data as a file and link to it.`,
      );
    }
    this.#html = html;
  }

  async flush(): Promise<void> {
    if (this.#html === this.#flushed) return;
    const html = this.#html;
    const { digest } = await this.#session.blobs.put(
      new TextEncoder().encode(page(this.#session.launch.spec.name, html)),
    );
    await this.#session.attach({ type: "report", digest });
    this.#flushed = html;
  }
}

export const localReport = (): TaskReport => ({
  append: () => undefined,
  replace: () => undefined,
  flush: () => Promise.resolve(),
});

/** What the task wrote as a page of its own, unless it wrote a whole page. */
function page(title: string, html: string): string {
  if (/^\s*<(!doctype|html)/i.test(html)) return html;
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse}td,th{padding:.2rem .6rem;border-bottom:1px solid #ddd;text-align:left}</style>
<body>${html}</body></html>
`;
}
