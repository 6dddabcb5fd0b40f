/** The digest by which sets of steps are known. */
import { createHash } from "node:crypto";

/** Hexadecimal digits. */
export const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
