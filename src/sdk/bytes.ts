// The schema of raw bytes.
import { instanceof as instanceOf, type ZodType } from "zod";

/** A `Uint8Array`, carried inside the value: for small content. Use `file()` for large content. */
export const bytes = (): ZodType<Uint8Array, Uint8Array> => instanceOf(Uint8Array);
