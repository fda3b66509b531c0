// A call that Godwit refused: a mistake in the calling code.
import type { ActionError } from "../core/action.ts";

export class CallRefused extends Error {
  readonly error: ActionError;

  constructor(error: ActionError) {
    super(error.message);
    this.name = error.code;
    this.error = error;
  }
}
