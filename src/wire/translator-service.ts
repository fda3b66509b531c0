// TranslatorService: inputs as the JSON of a form, and back, for whoever shows forms and reads no protobuf.
import { create } from "@bufbuild/protobuf";
import type { ConnectRouter } from "@connectrpc/connect";
import { TypedInterfaceSchema, type VariableMap } from "#idl/flyteidl2/core/interface_pb.js";
import { InputsSchema } from "#idl/flyteidl2/task/common_pb.js";
import { TranslatorService } from "#idl/flyteidl2/workflow/translator_service_pb.js";
import type { TypedInterface } from "../core/value.ts";
import { defaultInputsOf, interfaceOf } from "../idl/interface-message.ts";
import { formLiterals, launchForm, literalsFromValues, variablesOfForm } from "../idl/launch-form.ts";
import { inputsMessage, literalsOfInputs } from "../idl/task-files.ts";
import { present } from "./identifiers.ts";
import type { WireParts } from "./parts.ts";

export function translatorService(router: ConnectRouter, { callerOf }: Pick<WireParts, "callerOf">): void {
  router.service(TranslatorService, {
    literalsToLaunchFormJson: async ({ literals, variables }, { requestHeader }) => {
      await callerOf(requestHeader);
      const types = declared(variables);
      return { json: launchForm(types.inputs, literalsOfInputs(create(InputsSchema, { literals }), types)) };
    },
    launchFormJsonToLiterals: async ({ json }, { requestHeader }) => {
      await callerOf(requestHeader);
      const form = present("json", json);
      const types = { inputs: variablesOfForm(form), outputs: [] };
      return { literals: inputsMessage(formLiterals(form), types).literals };
    },
    taskSpecToLaunchFormJson: async ({ taskSpec }, { requestHeader }) => {
      await callerOf(requestHeader);
      const { taskTemplate, defaultInputs } = present("task_spec", taskSpec);
      const { inputs } = interfaceOf(taskTemplate?.interface, defaultInputs);
      return { json: launchForm(inputs, defaultInputsOf(defaultInputs)) };
    },
    jsonValuesToLiterals: async ({ variables, values }, { requestHeader }) => {
      await callerOf(requestHeader);
      const types = declared(variables);
      return { literals: inputsMessage(literalsFromValues(types.inputs, values ?? {}), types).literals };
    },
  });
}

const declared = (variables: VariableMap | undefined): TypedInterface =>
  interfaceOf(create(TypedInterfaceSchema, { inputs: present("variables", variables) }));
