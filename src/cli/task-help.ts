// What `godwit run FILE TASK --help` and `godwit get task` say about a task.
import { byteText } from "../core/quantities.ts";
import type { Manifest, TaskSpec } from "../core/task.ts";
import type { Variable } from "../core/value.ts";
import { soleOutput } from "../core/value.ts";
import { findTask } from "./code.ts";
import { resourceWords } from "./resource-words.ts";
import { durationText } from "./text.ts";
import { flagName, inputHelp, isBoolean, typeHelp } from "./type-text.ts";

export function taskHelp(manifest: Manifest, file: string, task: string | null, width: number): string {
  const hasChoice =
    task === null && manifest.tasks.length > 1 && !manifest.tasks.some(({ shortName }) => shortName === "main");
  if (hasChoice || manifest.tasks.length === 0) return `${fileHelp(manifest, file)}`;
  const spec = findTask(manifest, task);
  const others = manifest.tasks.filter((each) => each !== spec).map(({ shortName }) => shortName);
  return [
    `Usage: godwit run ${file} ${spec.shortName} [inputs] [options]`,
    "",
    ...taskLines(spec, width),
    "",
    `Example: ${exampleCommand(file, spec)}`,
    ...(others.length === 0 ? [] : ["", `Other tasks of this file: ${others.join(", ")}`]),
    "",
    "Options of Godwit itself: godwit run --help",
  ].join("\n");
}

function fileHelp(manifest: Manifest, file: string): string {
  const width = Math.max(0, ...manifest.tasks.map(({ shortName }) => shortName.length));
  const lines = manifest.tasks.map(({ shortName, description }) =>
    `  ${shortName.padEnd(width)}  ${description ?? ""}`.trimEnd(),
  );
  return [
    `Usage: godwit run ${file} TASK [inputs] [options]`,
    "",
    "Tasks:",
    ...lines,
    "",
    `Inputs of a task: godwit run ${file} TASK --help`,
  ].join("\n");
}

export function taskLines(spec: TaskSpec, width: number): readonly string[] {
  return [
    spec.name,
    ...(spec.description === null ? [] : [`  ${spec.description}`]),
    "",
    ...(spec.interface.inputs.length === 0
      ? ["No inputs."]
      : ["Inputs:", ...inColumns(spec.interface.inputs.map(inputHelp), width)]),
    "",
    ...(spec.interface.outputs.length === 0
      ? ["No outputs."]
      : ["Outputs:", ...inColumns(spec.interface.outputs.map(outputHelp), width)]),
    ...settings(spec),
  ];
}

function outputHelp(output: Variable): readonly [string, string] {
  const type = typeHelp(output.type);
  return output.name === soleOutput
    ? [type, output.description ?? ""]
    : [output.name, output.description === null ? type : `${output.description} (${type})`];
}

function settings(spec: TaskSpec): readonly string[] {
  const { cache, retries, timeouts, priority, concurrency, environmentConcurrency } = spec;
  const said = [
    cache.type === "off"
      ? null
      : cache.type === "auto"
        ? "cached by code and inputs"
        : `cached under version ${cache.version}`,
    retries.user > 0 ? `retries: ${retries.user}` : null,
    timeouts.attemptMs === null ? null : `timeout: ${durationText(timeouts.attemptMs)} an attempt`,
    timeouts.deadlineMs === null ? null : `deadline: ${durationText(timeouts.deadlineMs)}`,
    ...resourceWords(spec.resources),
    retries.onOom === undefined
      ? null
      : `after running out of it: x${retries.onOom.factor}, up to ${byteText(retries.onOom.maxBytes)}`,
    priority === undefined ? null : `priority: ${priority}`,
    concurrency === undefined ? null : `${concurrency} at once`,
    environmentConcurrency === undefined ? null : `${environmentConcurrency} of ${spec.environment} at once`,
  ].filter((text) => text !== null);
  return said.length === 0 ? [] : ["", said.join(", ")];
}

/** Two columns; the right one is wrapped. */
function inColumns(rows: readonly (readonly [string, string])[], width: number): readonly string[] {
  const left = Math.min(40, Math.max(...rows.map(([first]) => first.length)));
  const room = Math.max(30, width - left - 4);
  return rows.flatMap(([first, second]) => {
    const [line = "", ...more] = wrapped(second, room);
    const indent = " ".repeat(left + 4);
    const head =
      first.length <= left ? [`  ${first.padEnd(left)}  ${line}`.trimEnd()] : [`  ${first}`, `${indent}${line}`];
    return [...head, ...more.map((each) => indent + each)];
  });
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

function exampleCommand(file: string, spec: TaskSpec): string {
  const flags = spec.interface.inputs.filter(({ required }) => required).map(exampleFlag);
  return ["godwit run", file, spec.shortName, ...flags].join(" ");
}

function exampleFlag({ name, type }: Variable): string {
  const flag = `--${flagName(name)}`;
  if (isBoolean(type)) return flag;
  switch (type.type) {
    case "simple":
      return `${flag} ${{ integer: "3", float: "0.5", string: "text", datetime: "2026-01-31T12:00:00Z", duration: "10m", binary: "aGVsbG8=", none: "null", boolean: "" }[type.simple]}`;
    case "enum":
      return `${flag} ${type.values[0] ?? ""}`;
    case "collection":
      return type.element.type === "simple" && type.element.simple === "integer" ? `${flag} '[1,2]'` : `${flag} '[…]'`;
    case "map":
    case "struct":
      return `${flag} '{…}'`;
    case "blob":
      return `${flag} ${type.dimensionality === "multipart" ? "./directory" : "./file"}`;
    case "structuredDataset":
      return `${flag} ./table.csv`;
    case "union":
      return `${flag} …`;
  }
}
