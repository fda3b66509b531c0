// Who may ask for tokens: programs and people with a key, by name. Kept in `keys/clients.json` of the data
// directory; of a secret only its hash, which is enough to check it and of no use to whoever steals it.
import { createHash, randomBytes, randomUUID, timingSafeEqual } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GodwitError } from "../core/error.ts";

export type Client = {
  /** What calls are recorded under. */
  readonly id: string;
  /** Hexadecimal. The secret is 256 random bits, so a plain hash is as good as a slow one. */
  readonly secretSha256: string;
  readonly createdAtMs: number;
};

/** A key that was taken back holds for this long at most. */
const rereadMs = 1_000;

const fileOf = (dataDir: string): string => join(dataDir, "keys", "clients.json");

export class Clients {
  readonly #file: string;
  readonly #nowMs: () => number;
  #clients: ReadonlyMap<string, Client> = new Map();
  #readAtMs = Number.NEGATIVE_INFINITY;
  #changedAtMs = -1;

  constructor(dataDir: string, nowMs: () => number) {
    this.#file = fileOf(dataDir);
    this.#nowMs = nowMs;
  }

  async has(id: string): Promise<boolean> {
    return (await this.#current()).has(id);
  }

  async isRight(id: string, secret: string): Promise<boolean> {
    const client = (await this.#current()).get(id);
    const given = sha256(secret);
    const expected = Buffer.from(client?.secretSha256 ?? "", "hex");
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  async #current(): Promise<ReadonlyMap<string, Client>> {
    const nowMs = this.#nowMs();
    if (nowMs < this.#readAtMs + rereadMs) return this.#clients;
    this.#readAtMs = nowMs;
    const found = await stat(this.#file).catch(() => null);
    if (found === null) this.#clients = new Map();
    else if (found.mtimeMs !== this.#changedAtMs) {
      this.#clients = new Map((await readClients(this.#file)).map((client) => [client.id, client]));
      this.#changedAtMs = found.mtimeMs;
    }
    return this.#clients;
  }
}

export const listClients = (dataDir: string): Promise<readonly Client[]> => readClients(fileOf(dataDir));

/** The secret is told once. */
export async function createClient(dataDir: string, id: string, nowMs: number): Promise<string> {
  if (!/^[a-z0-9][a-z0-9._-]{0,62}$/.test(id))
    throw new GodwitError(
      "invalid_argument",
      `"${id}" cannot be the name of a key: lower-case letters, digits, dots, hyphens and underscores, at most 63, were expected.`,
    );
  const clients = await listClients(dataDir);
  if (clients.some((client) => client.id === id))
    throw new GodwitError(
      "already_exists",
      `There is a key "${id}" already, and its secret cannot be told again. Take another name, or take that one back with: godwit server delete-key ${id}`,
    );
  const secret = randomBytes(32).toString("base64url");
  const secretSha256 = sha256(secret).toString("hex");
  await writeClients(dataDir, [...clients, { id, secretSha256, createdAtMs: nowMs }]);
  return secret;
}

/** Its tokens hold no longer either. */
export async function deleteClient(dataDir: string, id: string): Promise<void> {
  const clients = await listClients(dataDir);
  const left = clients.filter((client) => client.id !== id);
  if (left.length === clients.length) {
    const names = clients.map((client) => client.id).join(", ") || "none";
    throw new GodwitError("not_found", `There is no key "${id}". There are: ${names}.`);
  }
  await writeClients(dataDir, left);
}

const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

async function readClients(file: string): Promise<readonly Client[]> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (text === null) return [];
  try {
    return (JSON.parse(text) as { readonly clients: readonly Client[] }).clients.map((client) => ({ ...client }));
  } catch (cause) {
    const message = `The file of keys ${file} cannot be read: ${(cause as Error).message}. Restore it, or remove it and make new keys.`;
    throw new GodwitError("failed_precondition", message, { cause });
  }
}

async function writeClients(dataDir: string, clients: readonly Client[]): Promise<void> {
  const file = fileOf(dataDir);
  const temporary = `${file}.${randomUUID()}`;
  await mkdir(join(dataDir, "keys"), { recursive: true, mode: 0o700 });
  try {
    const text = `${JSON.stringify({ clients }, null, 2)}\n`;
    await writeFile(temporary, text, { mode: 0o600, flag: "wx", flush: true });
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
}
