// DataProxyService: where clients put files and inputs, and get values, reports, code and logs.
import { toBinary } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter } from "@connectrpc/connect";
import {
  ArtifactType,
  type CreateDownloadLinkRequest,
  type CreateUploadLocationRequest,
  DataProxyService,
  type UploadInputsRequest,
} from "#idl/flyteidl2/dataproxy/dataproxy_service_pb.js";
import { InputsSchema } from "#idl/flyteidl2/task/common_pb.js";
import { GodwitError } from "../core/error.ts";
import { sha256Hex } from "../core/hash.ts";
import type { TaskSpec } from "../core/task.ts";
import { literalsOfInputs } from "../idl/task-files.ts";
import { msOfDuration, timestampOfMs } from "../idl/time-message.ts";
import { actionData } from "./action-values.ts";
import { deployedTask, inlineTask } from "./called-task.ts";
import { bundleUriOf } from "./code-bundle.ts";
import { type Asking, actionRef, askingOf, present, required, scopeOf, scopeOfProject } from "./identifiers.ts";
import { tailLogs } from "./log-tail.ts";
import type { WireParts } from "./parts.ts";

/** Of a link, if the client does not say. */
const defaultExpiryMs = 15 * 60_000;

export function dataProxyService(router: ConnectRouter, parts: WireParts): void {
  const asking = askingOf(parts);
  router.service(DataProxyService, {
    createUploadLocation: (request, context) => uploadLocation(asking(context), request),
    uploadInputs: async (request, context) => ({ offloadedInputData: await uploadInputs(asking(context), request) }),
    createDownloadLink: (request, context) => downloadLink(asking(context), request),
    getActionData: async ({ actionId }, context) => actionData(parts, await actionRef(asking(context), actionId)),
    async *tailLogs({ actionId, attempt }, context) {
      yield* tailLogs(parts, await actionRef(asking(context), actionId), attempt, context.signal);
    },
  });
}

const expiryMs = (expiresIn: Duration | undefined): number =>
  expiresIn === undefined ? defaultExpiryMs : msOfDuration(expiresIn);

async function uploadLocation(asking: Asking, request: CreateUploadLocationRequest) {
  const { storage, links } = asking.parts;
  const scope = await scopeOf(asking, request);
  await asking.parts.control.projects.check(scope);
  const { contentMd5, filename, filenameRoot } = request;
  const md5 = contentMd5.byteLength === 0 ? null : contentMd5;
  if (md5 !== null && md5.byteLength !== 16)
    throw new GodwitError("invalid_argument", `An MD5 has 16 bytes, and content_md5 has ${md5.byteLength}.`);
  const { path } = storage.uploadTarget(scope, {
    filename: required("filename", filename),
    filenameRoot: filenameRoot === "" ? null : filenameRoot,
    md5,
  });
  const link = links.upload(asking.headers, { path, md5, expiresInMs: expiryMs(request.expiresIn) });
  return {
    signedUrl: link.url,
    nativeUrl: path,
    headers: { ...link.headers },
    expiresAt: timestampOfMs(link.expiresAtMs),
  };
}

/** Kept under their hash, so that the same inputs twice are the same file. */
async function uploadInputs(asking: Asking, request: UploadInputsRequest) {
  const scope =
    request.id.case === "runId"
      ? await scopeOf(asking, request.id.value)
      : await scopeOfProject(asking, request.id.value);
  await asking.parts.control.projects.check(scope);
  const inputs = present("inputs", request.inputs);
  const task = await taskOf(asking, request);
  // Checked now, while the person is there who can mend it.
  // What is missing may come later: a trigger's time.
  if (task !== null) literalsOfInputs(inputs, task.spec.interface);
  const bytes = toBinary(InputsSchema, inputs);
  const hash = sha256Hex(bytes);
  return { uri: await asking.parts.storage.saveInputs(scope, hash, bytes), inputsHash: hash };
}

async function taskOf(asking: Asking, { task }: UploadInputsRequest) {
  if (task.case === "taskSpec") return inlineTask(asking, task.value);
  if (task.case === "taskId") return deployedTask(asking, task.value);
  return null;
}

async function downloadLink(asking: Asking, { artifactType, source, expiresIn }: CreateDownloadLinkRequest) {
  const path = await artifactPath(asking, artifactType, source);
  if (path === null) return { preSignedUrls: { signedUrl: [] } };
  const link = asking.parts.links.download(asking.headers, { path, expiresInMs: expiryMs(expiresIn) });
  return { preSignedUrls: { signedUrl: [link.url], expiresAt: timestampOfMs(link.expiresAtMs) } };
}

/** Null: there is none. */
async function artifactPath(
  asking: Asking,
  type: ArtifactType,
  source: CreateDownloadLinkRequest["source"],
): Promise<string | null> {
  switch (type) {
    case ArtifactType.REPORT:
      return reportPath(asking, source);
    case ArtifactType.CODE_BUNDLE: {
      const uri = bundleUriOf(await sourceSpec(asking, source));
      return uri === null ? null : (await asking.parts.storage.openFile(uri)).path;
    }
    default:
      throw new GodwitError(
        "invalid_argument",
        "Say what is to be downloaded: artifact_type is a report or a code bundle.",
      );
  }
}

async function reportPath(asking: Asking, source: CreateDownloadLinkRequest["source"]): Promise<string | null> {
  if (source.case !== "actionAttemptId")
    throw new GodwitError("invalid_argument", "Say whose report: action_attempt_id.");
  const ref = await actionRef(asking, source.value.actionId);
  const { report } = await asking.parts.control.getAction(ref.scope, ref.run, { name: ref.action });
  return report === null ? null : asking.parts.storage.exportFile(report, "report.html");
}

async function sourceSpec(asking: Asking, source: CreateDownloadLinkRequest["source"]): Promise<TaskSpec> {
  if (source.case === "taskId") return (await deployedTask(asking, source.value)).spec;
  if (source.case !== "actionAttemptId")
    throw new GodwitError("invalid_argument", "Say whose code: action_attempt_id or task_id.");
  const { scope, run, action } = await actionRef(asking, source.value.actionId);
  const { spec } = await asking.parts.control.getAction(scope, run, { name: action });
  if (spec === null)
    throw new GodwitError("not_found", `The action ${action} of ${run} is no task, so it has no code.`);
  return spec;
}
