// Plain pages behind the links that Flyte's command line prints: what a run is doing, as a tree. No script, and
// nothing in them that was not escaped.
import type { Control } from "../control/control.ts";
import { type Action, isTerminal } from "../core/action.ts";
import { GodwitError } from "../core/error.ts";
import type { Page, PageRequest } from "./pages.ts";
import type { NodeResponse } from "./port.ts";

/** A page shows so many actions at most; the command line shows all. */
const maxActions = 1_000;

/** `callerOf` throws `unauthenticated` where a login is needed. */
export const runPages = (
  control: Pick<Control, "getRun" | "listActions">,
  callerOf: (headers: Headers) => Promise<string>,
): readonly Page[] => [
  { method: "GET", path: "/", answer: (_request, response) => html(response, "Godwit", frontPage) },
  {
    method: "GET",
    path: "/v2/domain/:domain/project/:project/runs/:run",
    answer: async (request, response) =>
      html(response, request.parameters.run ?? "", await runPage(control, request, callerOf)),
  },
  {
    method: "GET",
    path: "/v2/domain/:domain/project/:project/:kind/:name",
    answer: ({ parameters: { kind = "", name = "" } }) => {
      throw new GodwitError(
        "not_found",
        `There is no page for ${kind} yet, also not for ${name}. Runs have one; the command lines of godwit and flyte show the rest.`,
      );
    },
  },
];

const frontPage = `<h1>Godwit</h1>
<p>This server is up. It answers the SDKs and command lines of Godwit and Flyte, and <code>curl</code>.</p>
<p>A run's page is at <code>/v2/domain/DOMAIN/project/PROJECT/runs/NAME</code>; for machines there are
<a href="/healthz">/healthz</a>, <a href="/readyz">/readyz</a> and <a href="/metrics">/metrics</a>.</p>`;

async function runPage(
  control: Pick<Control, "getRun" | "listActions">,
  { parameters, headers }: PageRequest,
  callerOf: (headers: Headers) => Promise<string>,
): Promise<string> {
  const { project = "", domain = "", run: name = "" } = parameters;
  const scope = { project, domain, caller: await callerOf(headers) };
  const run = await control.getRun(scope, name);
  const { items, token } = await control.listActions(scope, name, { limit: maxActions, token: null });
  const counts = Object.entries(run.counts).filter(([, count]) => count > 0);
  const refresh = isTerminal(run.phase) ? "" : '<meta http-equiv="refresh" content="2">';
  const more =
    token === null
      ? ""
      : `<p>The first ${maxActions} actions are shown: <code>godwit get actions ${escaped(name)}</code> lists all.</p>`;
  return `${refresh}<h1>${escaped(run.name)} ${phaseText(run.phase)}</h1>
<p>${escaped(run.task)} in ${escaped(project)}/${escaped(domain)}, started by ${escaped(run.caller)} on ${timeText(run.createdAtMs)}${tookText(run)}.
${counts.map(([phase, count]) => `${count} ${escaped(phase.replaceAll("_", " "))}`).join(", ")}.</p>
${treeOf(items)}${more}`;
}

/** Parents come before their children. */
function treeOf(actions: readonly Action[]): string {
  const children = Map.groupBy(actions, ({ parent }) => parent);
  const branch = (parent: string | null): string => {
    const own = children.get(parent) ?? [];
    if (own.length === 0) return "";
    const lines = own.map((action) => `<li>${lineOf(action)}${branch(action.name)}</li>`);
    return `<ul>${lines.join("\n")}</ul>`;
  };
  return branch(null);
}

function lineOf(action: Action): string {
  const attempt = action.attempt > 1 ? `, attempt ${action.attempt}` : "";
  const error = action.error === null ? "" : `<pre>${escaped(`${action.error.code}: ${action.error.message}`)}</pre>`;
  return `${escaped(action.label)} <code>${escaped(action.name)}</code> ${phaseText(action.phase)}${tookText(action)}${attempt}${error}`;
}

const phaseText = (phase: string): string => `<span class="${phase}">${escaped(phase.replaceAll("_", " "))}</span>`;

const timeText = (atMs: number): string => `${new Date(atMs).toISOString().replace("T", " ").slice(0, 19)} UTC`;

function tookText(timed: { readonly createdAtMs: number; readonly endedAtMs: number | null }): string {
  return timed.endedAtMs === null ? "" : `, took ${((timed.endedAtMs - timed.createdAtMs) / 1_000).toFixed(1)} s`;
}

const entities: { readonly [character: string]: string } = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] as string);

const style = `body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color-scheme: light dark; }
h1 { font-size: 1.3rem; } ul { list-style: none; padding-left: 1.2rem; } pre { white-space: pre-wrap; color: #b3261e; }
span { font-weight: 600; } .succeeded, .recovered { color: #1a7f37; } .failed, .timed_out { color: #b3261e; } .running { color: #0969da; }`;

function html(response: NodeResponse, title: string, body: string): void {
  response.writeHead(200, {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "cache-control": "no-store",
  });
  response.end(
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escaped(title)}</title><style>${style}</style>${body}</html>`,
  );
}
