// `godwit server`: for a team, with what an operator has decided; and the keys of those who may call it.
import { resolve } from "node:path";
import { createClient, deleteClient, listClients } from "../../auth/auth.ts";
import { dataDirIn } from "../../settings/settings.ts";
import { usageError } from "../error-report.ts";
import { dataDirOf, projectDirOf } from "../place.ts";
import { type ServerOptions, serveUntilStopped } from "../serving.ts";
import { type Io, writeJson, writeLine } from "../terminal.ts";

export type ServerCommandOptions = ServerOptions & { readonly config?: string };
export type KeyOptions = ServerCommandOptions & { readonly endpoint?: string };

export async function server(options: ServerCommandOptions, io: Io): Promise<number> {
  const { dataDir, config } = placeOf(options, io);
  return serveUntilStopped({ dataDir, config, options, io, defaults: {} });
}

export async function createKey(name: string, options: KeyOptions, io: Io): Promise<number> {
  const { dataDir } = placeOf(options, io);
  const endpoint = options.endpoint ?? null;
  if (endpoint !== null && !/^[A-Za-z0-9.-]+$/.test(endpoint))
    throw usageError(
      `--endpoint has to be a host name alone, such as godwit.example.org, not ${JSON.stringify(endpoint)}: FLYTE_API_KEY has no room for a port, and clients that use it call https on port 443.`,
    );
  const secret = await createClient(dataDir, name, Date.now());
  const apiKey = endpoint === null ? null : Buffer.from(`${endpoint}:${name}:${secret}:`).toString("base64");
  if (options.json === true) {
    await writeJson(io, { clientId: name, clientSecret: secret, apiKey });
    return 0;
  }
  await writeLine(io.stderr, `The key "${name}" is told once, and only its hash is kept:`);
  await writeLine(io.stdout, `client id       ${name}`);
  await writeLine(io.stdout, `client secret   ${secret}`);
  if (apiKey !== null) await writeLine(io.stdout, `FLYTE_API_KEY   ${apiKey}`);
  else await writeLine(io.stderr, "With --endpoint HOST it is also told in the form of FLYTE_API_KEY.");
  return 0;
}

export async function deleteKey(name: string, options: KeyOptions, io: Io): Promise<number> {
  await deleteClient(placeOf(options, io).dataDir, name);
  await writeLine(io.stderr, `The key "${name}" has been taken back; what it has opened ends within seconds.`);
  return 0;
}

export async function listKeys(options: KeyOptions, io: Io): Promise<number> {
  const clients = await listClients(placeOf(options, io).dataDir);
  if (options.json === true)
    await writeJson(
      io,
      clients.map(({ id, createdAtMs }) => ({ id, createdAtMs })),
    );
  else
    for (const { id, createdAtMs } of clients)
      await writeLine(io.stdout, `${id}   ${new Date(createdAtMs).toISOString()}`);
  return 0;
}

/** Flags, then the environment, then the file. */
function placeOf(options: ServerCommandOptions, io: Io): { readonly dataDir: string; readonly config: string | null } {
  const config = options.config === undefined ? null : resolve(io.cwd, options.config);
  const isGiven = options.dataDir !== undefined || (io.env.GODWIT_DATA_DIR ?? "") !== "";
  const named = config === null || isGiven ? null : dataDirIn(config);
  return { dataDir: named ?? dataDirOf(options, io, projectDirOf(io.cwd)), config };
}
