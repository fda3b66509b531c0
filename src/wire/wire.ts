// The door of the wire: Flyte's protocol over Connect, and a service of our own for what it has no calls for. Each service decodes, asks control, encodes. What may be done
// is decided in control and core; here it is only said in the protocol's words.
import type { ConnectRouter } from "@connectrpc/connect";
import { actionsService } from "./actions-service.ts";
import { automationService } from "./automation-service.ts";
import { cacheService } from "./cache-service.ts";
import { clusterService } from "./cluster-service.ts";
import { dataProxyService } from "./data-proxy.ts";
import { identityServices } from "./identity-services.ts";
import { imageService } from "./image-service.ts";
import type { WireParts } from "./parts.ts";
import { projectService } from "./project-service.ts";
import { queueServices } from "./queue-services.ts";
import { runService } from "./run-service.ts";
import { secretService } from "./secret-service.ts";
import { settingsService } from "./settings-service.ts";
import { taskService } from "./task-service.ts";
import { translatorService } from "./translator-service.ts";
import { triggerService } from "./trigger-service.ts";

export type { Link, Links, WireParts } from "./parts.ts";

/** Mounts every service. */
export const routes =
  (parts: WireParts) =>
  (router: ConnectRouter): void => {
    clusterService(router);
    cacheService(router, parts);
    dataProxyService(router, parts);
    runService(router, parts);
    actionsService(router, parts);
    queueServices(router, parts);
    taskService(router, parts);
    triggerService(router, parts);
    automationService(router, parts);
    projectService(router, parts);
    secretService(router, parts);
    settingsService(router, parts);
    identityServices(router, parts);
    imageService(router, parts);
    translatorService(router, parts);
  };
