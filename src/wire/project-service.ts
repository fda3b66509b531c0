// ProjectService: the namespaces of everything. Every project has the same domains.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { Sort_Direction } from "#idl/flyteidl2/common/list_pb.js";
import {
  type ListProjectsRequest,
  type ProjectSchema,
  ProjectService,
  ProjectState,
} from "#idl/flyteidl2/project/project_service_pb.js";
import { domains, type Project, type ProjectListing } from "../control/control.ts";
import { GodwitError } from "../core/error.ts";
import { rowsOf } from "./filters.ts";
import { askingOf, present, required } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

export function projectService(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  const { projects } = parts.control;
  router.service(ProjectService, {
    createProject: async ({ project }, context) => {
      await parts.callerOf(asking(context).headers);
      const { id, name, description, labels } = present("project", project);
      await projects.create({
        id: required("project.id", id),
        name: name || id,
        description,
        labels: labels?.values ?? {},
      });
      return {};
    },
    // Its client sends the whole project, as it read it and then changed it.
    updateProject: async ({ project }, context) => {
      await parts.callerOf(asking(context).headers);
      const { id, name, description, labels, state } = present("project", project);
      await projects.update(required("project.id", id), {
        name: name || id,
        description,
        labels: labels?.values ?? {},
        state: state === ProjectState.ACTIVE ? "active" : "archived",
      });
      return {};
    },
    getProject: async ({ id }, context) => {
      await parts.callerOf(asking(context).headers);
      return { project: projectMessage(await projects.get(required("id", id))) };
    },
    listProjects: async (request, context) => {
      await parts.callerOf(asking(context).headers);
      const { items, token } = await projects.list(listingOf(request));
      return { projects: { projects: items.map(projectMessage), token: token ?? "" } };
    },
  });
}

function projectMessage({ id, name, description, labels, state }: Project): MessageInitShape<typeof ProjectSchema> {
  return {
    id,
    name,
    description,
    labels: { values: { ...labels } },
    domains: domains.map((domain) => ({ id: domain, name: domain })),
    state: state === "active" ? ProjectState.ACTIVE : ProjectState.ARCHIVED,
  };
}

function listingOf({ limit, token, filters, sortBy }: ListProjectsRequest): ProjectListing {
  const state = stateOf(filters);
  return {
    limit: rowsOf(limit),
    token: token === "" ? null : token,
    order: orderOf(sortBy),
    ...(state === null ? {} : { state }),
  };
}

function orderOf(sort: ListProjectsRequest["sortBy"]): ProjectListing["order"] {
  if (sort === undefined || sort.key === "" || sort.key === "name" || sort.key === "identifier") return "name";
  if (sort.key === "created_at") return sort.direction === Sort_Direction.ASCENDING ? "oldest" : "newest";
  throw new GodwitError("invalid_argument", `Projects are sorted by "name" or "created_at", and not by "${sort.key}".`);
}

/** `eq(state, 0)`, alone or with others behind a plus: the one filter that clients have for projects. */
function stateOf(filters: string): Project["state"] | null {
  let state: Project["state"] | null = null;
  for (const filter of filters.split("+").filter((text) => text.trim() !== "")) {
    const number = /^\s*eq\(\s*state\s*,\s*([01])\s*\)\s*$/.exec(filter)?.[1];
    if (number === undefined)
      throw new GodwitError(
        "invalid_argument",
        `Projects are filtered by eq(state, 0) or eq(state, 1), and not by ${filter}.`,
      );
    state = number === "0" ? "active" : "archived";
  }
  return state;
}
