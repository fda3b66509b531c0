// The smallest file that can be run.
import { environment } from "godwit";

export const hello = environment({ name: "hello" }).task({ name: "hello" }, () => {});
