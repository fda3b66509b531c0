// The environment variables of builds, and of attempts that run in an image.
import { delimiter, join } from "node:path";

export type Variables = { readonly [name: string]: string | undefined };

/** Of the server's own, a build sees what it takes to reach package indexes, and no more: it runs others' code. */
const passed =
  /^(PATH|HOME|LANG|LC_.*|TZ|TMPDIR|USER|LOGNAME|PIP_.*|UV_.*|POETRY_.*|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(https?|no|all)_proxy)$/i;

export const buildVariables = (env: Variables): Variables => ({
  ...Object.fromEntries(Object.entries(env).filter(([name]) => passed.test(name))),
  PYTHONUNBUFFERED: "1",
  PYTHONDONTWRITEBYTECODE: undefined,
});

/** Of containers: their places mean nothing here. */
const containerValues: { readonly [name: string]: RegExp } = {
  VIRTUAL_ENV: /.*/,
  UV_PYTHON: /.*/,
  PYTHONPATH: /^\/root$/,
};

/**
 * What an image says, as a process here gets it: `$NAME` stands for what came before, and the programs of
 * the environment come first in PATH.
 */
export function imageVariables(
  said: { readonly [name: string]: string },
  environment: string,
  { PATH }: Variables,
): { readonly [name: string]: string } {
  const values: { [name: string]: string } = { PATH: PATH ?? "/usr/local/bin:/usr/bin:/bin" };
  for (const [name, value] of Object.entries(said)) {
    if (containerValues[name]?.test(value) === true) continue;
    values[name] = value.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced, bare) => values[braced ?? bare] ?? "");
  }
  const bin = join(environment, "bin");
  return {
    ...values,
    PATH: [bin, ...(values.PATH ?? "").split(delimiter).filter((entry) => entry !== bin)].join(delimiter),
    VIRTUAL_ENV: environment,
  };
}
