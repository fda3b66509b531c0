// Options that commands share.
import { type Command, InvalidArgumentError, Option } from "commander";
import { priorities } from "../core/quantities.ts";
import type { CommonOptions } from "./place.ts";

/** Gets the exit code of the command that was called. */
export type Finish = (exitCode: number) => void;

/** Options that every command has. */
export const withCommonOptions = (command: Command): Command =>
  command
    .option("--json", "print JSON for programs")
    .option("--project <name>", "project of the runs (default: GODWIT_PROJECT, else default)")
    .option("--domain <name>", "domain of the runs (default: GODWIT_DOMAIN, else development)")
    .option(
      "--data-dir <path>",
      "data directory (default: GODWIT_DATA_DIR, else .godwit beside the nearest package.json)",
    );

/** Of commands that can ask a server. */
export const withRemoteOption = (command: Command): Command =>
  command.option(
    "--remote [endpoint]",
    "ask a server: host:port or URL (default: GODWIT_ENDPOINT, else localhost:8090)",
  );

/**
 * `--remote pipeline.ts` names a file, and `--remote host:8090` a server: only what looks like an address is
 * taken for one.
 */
export function withAddresses(argv: readonly string[]): readonly string[] {
  const words: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] as string;
    if (word === "--") return [...words, ...argv.slice(at)];
    if (word !== "--remote") words.push(word);
    else if (/^(https?|dns):\/\/|^[\w.-]+:\d{1,5}$|^\[[\da-f:]+\]:\d{1,5}$/i.test(argv[at + 1] ?? "")) {
      at += 1;
      words.push(`--remote=${argv[at]}`);
    } else words.push("--remote=");
  }
  return words;
}

/** What `withAddresses` made of a flag that the command does not have, as it was typed. */
export const asTyped = (text: string): string =>
  text.replace(/unknown option '--remote=[^']*'/, "unknown option '--remote'");

export const withDisplayOptions = (command: Command): Command =>
  command
    .option("-q, --quiet", "print the result only")
    .addOption(
      new Option("--workers <count>", "workers active at once, at most (default: as the CPU goes)").argParser(positive),
    )
    .option("--cpu <cores>", "cores that tasks may use together (default: GODWIT_CPU, else those of the machine)")
    .option("--memory <bytes>", "memory that tasks may ask for together: 24Gi (GODWIT_MEMORY)")
    .option("--disk <bytes>", "disk that tasks may ask for together (GODWIT_DISK)")
    .option("--gpus <gpus>", "GPUs that tasks may use: 2, or 2xA100,1xT4 (GODWIT_GPUS)")
    .addOption(
      new Option("--token <name=count>", "tokens that tasks may hold, each kind by a flag (GODWIT_TOKENS)").argParser(
        (text: string, before: readonly string[] | undefined) => [...(before ?? []), text],
      ),
    );

/** Of commands that start a run. */
export const withStartOptions = (command: Command): Command =>
  command
    .addOption(
      new Option(
        "--priority <number>",
        "-100 to 100; higher goes first in its project (default: the task's, else 0)",
      ).argParser(priority),
    )
    .addOption(
      new Option("--max-concurrency <count>", "attempts of the run that may work at once").argParser(positive),
    );

function priority(text: string): number {
  const { least, most } = priorities;
  const number = /^-?\d{1,3}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`);
}

export function positive(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 1.");
}

export const limitOption = (otherwise: number): Option =>
  new Option("--limit <count>", "rows at most").argParser(positive).default(otherwise);

/** Options as commander collected them; absent ones are absent. */
export const optionsOf = <T extends CommonOptions>(command: Command): T => command.opts<T>();
