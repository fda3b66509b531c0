// Options that commands share.
import { type Command, InvalidArgumentError, Option } from "commander";
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

export const withDisplayOptions = (command: Command): Command =>
  command
    .option("-q, --quiet", "print the result only")
    .addOption(
      new Option("--workers <count>", "worker processes at most (default: one for each core)").argParser(positive),
    );

export function positive(text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 1.");
}

export const limitOption = (otherwise: number): Option =>
  new Option("--limit <count>", "rows at most").argParser(positive).default(otherwise);

/** Options as commander collected them; absent ones are absent. */
export const optionsOf = <T extends CommonOptions>(command: Command): T => command.opts<T>();
