// The forms of TranslatorService, asked for over the protocol with what Python's SDK made.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fromBinary, type JsonObject } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient, createRouterTransport } from "@connectrpc/connect";
import { TaskSpecSchema } from "#idl/flyteidl2/task/task_definition_pb.js";
import { TranslatorService } from "#idl/flyteidl2/workflow/translator_service_pb.js";
import { connectErrorOf } from "../server/connect-error.ts";
import { translatorService } from "./translator-service.ts";

const { specs } = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../test/fixtures/python/messages.json"), "utf8"),
) as { readonly specs: { readonly train: string } };
const train = fromBinary(TaskSpecSchema, Buffer.from(specs.train, "base64"));
const variables = train.taskTemplate?.interface?.inputs;
assert.ok(variables !== undefined);

const clientOf = (callerOf: () => string) =>
  createClient(
    TranslatorService,
    createRouterTransport((router) => translatorService(router, { callerOf }), {
      router: {
        interceptors: [
          (next) => async (request) => {
            try {
              return await next(request);
            } catch (error) {
              throw connectErrorOf(error, assert.ifError);
            }
          },
        ],
      },
    }),
  );
const client = clientOf(() => "local");

test("a task's form starts with its defaults, and gives them back as literals", async () => {
  const { json } = await client.taskSpecToLaunchFormJson({ taskSpec: train });
  assert.ok(json !== undefined);
  assert.deepEqual(json.required, ["net"]);
  assert.equal(((json.properties as JsonObject).epochs as JsonObject).default, 3);
  const { literals } = await client.launchFormJsonToLiterals({ json });
  assert.deepEqual(
    literals.map(({ name }) => name),
    ["epochs", "note"],
  );
});

test("JSON becomes literals of the declared types, and a form of these has its values", async () => {
  const values = { net: { name: "n", layers: [{ units: 2, rate: 1 }] }, epochs: 5, note: null };
  const { literals } = await client.jsonValuesToLiterals({ variables, values });
  const { json } = await client.literalsToLaunchFormJson({ literals, variables });
  const properties = (json as JsonObject).properties as { readonly [name: string]: JsonObject };
  assert.deepEqual(
    Object.fromEntries(Object.entries(properties).map(([name, { default: value }]) => [name, value])),
    values,
  );
});

test("what does not fit its type, and who is not known, is refused", async () => {
  await assert.rejects(
    client.jsonValuesToLiterals({ variables, values: { epochs: "many" } }),
    /epochs: expected an integer/,
  );
  const stranger = clientOf(() => {
    throw new ConnectError("who are you?", Code.Unauthenticated);
  });
  await assert.rejects(stranger.launchFormJsonToLiterals({ json: {} }), { code: Code.Unauthenticated });
});
