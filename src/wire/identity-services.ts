// Who one is, and where one logs in.
import type { ConnectRouter } from "@connectrpc/connect";
import { AuthMetadataService } from "#idl/flyteidl2/auth/auth_service_pb.js";
import { IdentityService } from "#idl/flyteidl2/auth/identity_pb.js";
import type { WireParts } from "./parts.ts";

export function identityServices(router: ConnectRouter, parts: WireParts): void {
  router.service(IdentityService, {
    userInfo: async (_, { requestHeader }) => {
      const subject = await parts.callerOf(requestHeader);
      return { subject, name: subject, preferredUsername: subject };
    },
  });
  router.service(AuthMetadataService, {
    getOAuth2Metadata: (_, { requestHeader }) => {
      const origin = parts.links.origin(requestHeader);
      return {
        issuer: origin,
        tokenEndpoint: `${origin}/oauth2/token`,
        authorizationEndpoint: `${origin}/oauth2/authorize`,
        grantTypesSupported: ["client_credentials"],
        tokenEndpointAuthMethodsSupported: ["client_secret_basic"],
      };
    },
    getPublicClientConfig: () => ({ clientId: "", authorizationMetadataKey: "authorization", scopes: [] }),
  });
}
