// ImageService: whether an image of a client's name has been built here. Building one is a run of the task
// build-image (images/build-task.ts).
import type { ConnectRouter } from "@connectrpc/connect";
import { ImageService } from "#idl/flyteidl2/imagebuilder/service_pb.js";
import { GodwitError } from "../core/error.ts";
import { askingOf, present, required, scopeOfProject } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

export function imageService(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  router.service(ImageService, {
    getImage: async ({ id, projectId }, context) => {
      const name = required("id.name", present("id", id).name);
      const scope = await scopeOfProject(asking(context), projectId);
      const fqin = parts.findImage(scope, name);
      if (fqin !== null) return { image: { id: { name }, fqin } };
      throw new GodwitError(
        "not_found",
        `The image ${name} has not been built in project ${scope.project}, domain ${scope.domain}. Build it with the task build-image of project system, which the flyte package does by itself.`,
      );
    },
  });
}
