// There is one cluster: the server that was asked. An empty endpoint says so to every client, whatever name it
// reached us by, and costs it no second connection.
import type { ConnectRouter } from "@connectrpc/connect";
import { ClusterService } from "#idl/flyteidl2/cluster/service_pb.js";

export function clusterService(router: ConnectRouter): void {
  router.service(ClusterService, { selectCluster: () => ({ clusterEndpoint: "" }) });
}
