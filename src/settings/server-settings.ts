// What operators decide of a server: from the file's section "server", then environment variables, then flags.
import { resolve } from "node:path";
import { GodwitError } from "../core/error.ts";
import { byteAmount, durationMs, wholeNumber } from "../core/quantities.ts";
import type { Variables } from "./decisions.ts";
import { object, settingsIn } from "./settings-file.ts";

export type ServerSettings = {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** For the links that Flyte's command line prints; null: none. */
  readonly secondPort: number | null;
  /** How clients reach the server, where they do not reach it directly: `https://godwit.example.org`. */
  readonly publicUrl: string | null;
  readonly auth: "none" | "keys";
  /** PEM files; null: without TLS. */
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  readonly maxMessageBytes: number;
  readonly maxUploadBytes: number;
  readonly maxConnections: number;
  readonly maxCalls: number;
  /** Which addresses notifications may be sent to, besides public ones: this machine's, or a private network's too. */
  readonly webhooks: "public" | "loopback" | "private";
  /** How long calls may take to finish once the server is to end. */
  readonly drainMs: number;
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
  readonly logFormat: "json" | "text";
};

/** As they are written on a command line. */
export type ServerFlags = { readonly [setting in keyof ServerSettings]?: string };

const defaults: ServerSettings = {
  host: "127.0.0.1",
  port: 8090,
  secondPort: 8080,
  publicUrl: null,
  auth: "none",
  tlsCert: null,
  tlsKey: null,
  maxMessageBytes: 64 * 2 ** 20,
  maxUploadBytes: 5 * 2 ** 30,
  maxConnections: 15_000,
  maxCalls: 20_000,
  webhooks: "public",
  drainMs: 10_000,
  logLevel: "info",
  logFormat: "json",
};

type Reader<T> = {
  /** In the file; in flags it has hyphens, in variables capitals: `publicUrl`, `--public-url`, `GODWIT_PUBLIC_URL`. */
  readonly name: string;
  readonly read: (value: unknown, what: string) => T;
};

const port = (value: unknown, what: string): number => wholeNumber(numberOf(value), { least: 0, most: 65_535 }, what);
const many = (value: unknown, what: string): number =>
  wholeNumber(numberOf(value), { least: 1, most: 1_000_000 }, what);
const bytes = (value: unknown, what: string): number => byteAmount(quantity(value), what);

/** Of every setting, so that a new one cannot be forgotten. */
const readers: { readonly [setting in keyof ServerSettings]: Reader<ServerSettings[setting]> } = {
  host: { name: "host", read: text },
  port: { name: "port", read: port },
  secondPort: { name: "secondPort", read: (value, what) => (isNone(value) ? null : port(value, what)) },
  publicUrl: { name: "publicUrl", read: (value, what) => (isNone(value) ? null : origin(value, what)) },
  tlsCert: { name: "tlsCert", read: text },
  tlsKey: { name: "tlsKey", read: text },
  auth: { name: "auth", read: oneOf(["none", "keys"]) },
  maxMessageBytes: { name: "maxMessage", read: bytes },
  maxUploadBytes: { name: "maxUpload", read: bytes },
  maxConnections: { name: "maxConnections", read: many },
  maxCalls: { name: "maxCalls", read: many },
  webhooks: { name: "webhooks", read: oneOf(["public", "loopback", "private"]) },
  drainMs: { name: "drain", read: (value, what) => durationMs(quantity(value), what) },
  logLevel: { name: "logLevel", read: oneOf(["debug", "info", "warn", "error", "silent"]) },
  logFormat: { name: "logFormat", read: oneOf(["json", "text"]) },
};

const settings = Object.keys(readers) as readonly (keyof ServerSettings)[];

export type ServerSources = {
  readonly file: string;
  /** Whether it has to be there. */
  readonly isNamed: boolean;
  readonly env: Variables;
  readonly flags: ServerFlags;
  /** What holds where nobody says anything. */
  readonly defaults?: Partial<ServerSettings>;
};

/** Throws `invalid_argument`, which names the place, for what cannot be meant. */
export function readServerSettings({ file, isNamed, env, flags, defaults: own }: ServerSources): ServerSettings {
  const section = settingsIn(file, isNamed)?.server;
  const known = [...settings.map((setting) => readers[setting].name), "dataDir"];
  const said = section === undefined ? {} : object(section, `${file}: server`, known);
  const found: Partial<Record<keyof ServerSettings, unknown>> = {};
  for (const setting of settings) {
    const { name, read } = readers[setting];
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const variable = `GODWIT_${name.replace(/[A-Z]/g, "_$&").toUpperCase()}`;
    if (said[name] !== undefined) found[setting] = read(said[name], `${file}: server.${name}`);
    if ((env[variable] ?? "") !== "") found[setting] = read(env[variable], variable);
    if (flags[setting] !== undefined) found[setting] = read(flags[setting], flag);
  }
  const server = { ...defaults, ...own, ...(found as Partial<ServerSettings>) };
  // The links are for the port that the Flyte CLI takes for the usual one.
  const secondPort = found.secondPort === undefined && server.port !== defaults.port ? null : server.secondPort;
  return checked({ ...server, secondPort });
}

/** The data directory that the file names, beside which it lies. */
export function dataDirIn(file: string): string | null {
  const section = settingsIn(file, true)?.server;
  const { dataDir } = section === undefined ? {} : object(section, `${file}: server`, null);
  return dataDir === undefined ? null : resolve(file, "..", text(dataDir, `${file}: server.dataDir`));
}

/** Whoever reaches the port may do everything: without a login, that is nobody but this machine. */
function checked(server: ServerSettings): ServerSettings {
  if (server.auth !== "none" || isLoopback(server.host)) return server;
  throw new GodwitError(
    "failed_precondition",
    [
      `This server would listen on ${server.host}, where others reach it, without asking who they are.`,
      `Ask for keys: "auth": "keys" in the section "server" of the settings (GODWIT_AUTH=keys, --auth keys), and make one with: godwit server create-key NAME`,
      "Or listen on this machine only: --host 127.0.0.1",
    ].join("\n"),
  );
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^127(\.\d+){3}$/.test(host);

const isNone = (value: unknown): boolean => value === null || value === "none";

const numberOf = (value: unknown): number =>
  typeof value === "string" && value.trim() !== "" ? Number(value) : typeof value === "number" ? value : Number.NaN;

/** What quantities are written as; anything else is told as it stands there. */
const quantity = (value: unknown): string | number =>
  typeof value === "number" || typeof value === "string" ? value : JSON.stringify(value);

function text(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new GodwitError("invalid_argument", `${what} has to be a text, not ${JSON.stringify(value)}.`);
}

function origin(value: unknown, what: string): string {
  const url = URL.parse(text(value, what));
  if (url !== null && /^https?:$/.test(url.protocol) && url.pathname === "/" && url.search === "") return url.origin;
  throw new GodwitError(
    "invalid_argument",
    `${what} has to be a URL without a path, such as https://godwit.example.org, not ${JSON.stringify(value)}.`,
  );
}

function oneOf<const T extends string>(words: readonly T[]): (value: unknown, what: string) => T {
  return (value, what) => {
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    const list = words.map((word) => `"${word}"`).join(", ");
    throw new GodwitError("invalid_argument", `${what} has to be one of ${list}, not ${JSON.stringify(value)}.`);
  };
}
