// Names of directories that are of one process alone, so that whoever finds one can tell whether it is left.

/** Commands work there; code is unpacked there; content gets a path there. */
export type ScratchKind = "shell" | "bundle" | "godwit-files";

/** What `mkdtemp` gets. */
export const scratchPrefix = (kind: ScratchKind, host: string, pid: number): string =>
  `${kind}-${hostPart(host)}-${pid}-`;

/** The process that made it on this machine; null if it is another's, or another thing. */
export function scratchOwner(name: string, kinds: readonly ScratchKind[], host: string): number | null {
  const kind = kinds.find((each) => name.startsWith(`${each}-`));
  const match = kind === undefined ? null : /^(.+)-(\d+)-[^-]+$/.exec(name.slice(kind.length + 1));
  return match?.[1] === hostPart(host) ? Number(match[2]) : null;
}

const hostPart = (host: string): string => host.replace(/[^A-Za-z0-9.]/g, "_");
