// Who did something, as the protocol names people.
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { EnrichedIdentitySchema } from "#idl/flyteidl2/common/identity_pb.js";

export const identityMessage = (subject: string): MessageInitShape<typeof EnrichedIdentitySchema> => ({
  principal: { case: "user", value: { id: { subject }, spec: { userHandle: subject, email: subject } } },
});
