// From what a handler throws to what its caller is told.
import { type Code, ConnectError } from "@connectrpc/connect";
import { GodwitError } from "../core/error.ts";
import { codeOfNumber, numberOf, told } from "./refusal.ts";

/** `onBug` hears of what is nobody's mistake but ours. No caller is ever told `unknown`. */
export function connectErrorOf(error: unknown, onBug: (error: unknown) => void): ConnectError {
  if (error instanceof GodwitError) {
    const isBug = error.code === "internal" || error.code === "unknown";
    if (isBug) onBug(error);
    return new ConnectError(told(error.message), numberOf(isBug ? "internal" : error.code) as Code);
  }
  if (error instanceof ConnectError && !["internal", "unknown"].includes(codeOfNumber(error.code)))
    return error.rawMessage === told(error.rawMessage) ? error : new ConnectError(told(error.rawMessage), error.code);
  onBug(error);
  return new ConnectError("This should not have happened; the server's log says more.", numberOf("internal") as Code);
}
