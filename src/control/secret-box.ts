// Encrypts what nobody may read who can only read the database: AES-256-GCM under a key that lies beside it.
// A box is bound to its label, so that one cannot be put in another's place.
import { createCipheriv, createDecipheriv } from "node:crypto";

const algorithm = "aes-256-gcm";
const nonceBytes = 12;
const tagBytes = 16;

export const keyBytes = 32;

export type SealKey = {
  readonly key: Uint8Array;
  readonly label: string;
};

/** Nonce, tag and ciphertext, base64. `nonce` has to be new for each. */
export function seal(value: Uint8Array, { key, label }: SealKey, randomBytes: (count: number) => Uint8Array): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(label));
  const sealed = Buffer.concat([cipher.update(value), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString("base64");
}

/** Null if it was sealed under another key or label, or is damaged. */
export function unseal(box: string, { key, label }: SealKey): Uint8Array | null {
  const bytes = Buffer.from(box, "base64");
  if (bytes.length < nonceBytes + tagBytes) return null;
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes });
  decipher.setAAD(Buffer.from(label));
  decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(nonceBytes + tagBytes)), decipher.final()]);
  } catch {
    return null; // The tag does not fit: that is the answer.
  }
}
