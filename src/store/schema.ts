// Brings a database file to the version that this Godwit writes, or says why it cannot.
import { GodwitError } from "../core/error.ts";
import { type Connection, memoryPath } from "./connection.ts";
import { migrations, schemaVersion } from "./migrations.ts";

// "Godw": tells our files from other programs' SQLite files.
const applicationId = 0x476f6477;

/** Idempotent, and safe when several processes do it at once. */
export function migrate(connection: Connection): void {
  checkIdentity(connection);
  if (connection.isReadOnly) {
    checkCurrent(connection);
    return;
  }
  if (connection.path !== memoryPath) connection.exec("pragma journal_mode = wal");
  if (versionOf(connection) === schemaVersion) return;
  connection.writing(() => {
    // Read again: another process may have migrated while this one waited.
    const version = versionOf(connection);
    for (const step of migrations.slice(version)) connection.exec(step);
    connection.exec(`pragma application_id = ${applicationId}; pragma user_version = ${schemaVersion}`);
  });
}

function checkCurrent(connection: Connection): void {
  if (versionOf(connection) === schemaVersion) return;
  throw new GodwitError(
    "failed_precondition",
    `The database ${connection.path} is of an older version, and cannot be upgraded on its read-only file system. Mount it writable, or copy the data directory.`,
  );
}

const versionOf = (connection: Connection): number => connection.number("pragma user_version") ?? 0;

function checkIdentity(connection: Connection): void {
  const version = versionOf(connection);
  if (connection.number("pragma application_id") === applicationId) {
    if (version <= schemaVersion) return;
    throw new GodwitError(
      "failed_precondition",
      `The database ${connection.path} has version ${version}, and this Godwit knows versions up to ${schemaVersion}. Upgrade godwit to the release that wrote it (or a newer one), or use another data directory.`,
    );
  }
  if (connection.number("select count(*) from sqlite_schema") === 0) return;
  throw new GodwitError(
    "data_loss",
    `The file ${connection.path} is an SQLite database, but not a Godwit one. Run \`godwit doctor\` to see what is wrong, or use another data directory.`,
  );
}
