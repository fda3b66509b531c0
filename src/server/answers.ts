// Answers to conditions by signed link, for programs that were told by webhook that one waits: a POST with the value
// as JSON, by itself or as `{"value": …}`.
import type { Control } from "../control/control.ts";
import { GodwitError } from "../core/error.ts";
import { bodyOf } from "./body.ts";
import type { Links } from "./links.ts";
import type { Page, PageRequest } from "./pages.ts";

/** A signal is a boolean, a number or a text. */
const maxBodyBytes = 64 * 1024;
/** Between two pieces of the body. */
const idleBodyMs = 10_000;

/** Recorded as who answered. */
const caller = "webhook";

export const answerPages = (control: Pick<Control, "signal">, links: Links): readonly Page[] => [
  {
    method: "POST",
    path: "/conditions/:project/:domain/:run/:action",
    answer: async (request, response) => {
      const { project = "", domain = "", run = "", action = "" } = request.parameters;
      links.checkAnswer({ project, domain, run, action }, request.query);
      await control.signal({ project, domain, caller }, run, { name: action }, await sentValue(request));
      response.writeHead(200, { "content-type": "application/json" });
      response.end("{}\n");
    },
  },
];

async function sentValue({ node }: PageRequest): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of bodyOf(node, idleBodyMs)) {
    size += piece.byteLength;
    if (size > maxBodyBytes)
      throw new GodwitError("resource_exhausted", `An answer has at most ${maxBodyBytes} bytes.`);
    pieces.push(piece);
  }
  const text = Buffer.concat(pieces).toString();
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null && "value" in json ? json.value : json;
  } catch (cause) {
    throw new GodwitError(
      "invalid_argument",
      'The answer has to be JSON: true, 3, "yes", or an object with it as "value".',
      { cause },
    );
  }
}
