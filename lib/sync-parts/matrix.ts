/** The rooms of the Matrix homeserver, as a part of a sync. */
import { openMatrix } from "../matrix/target.ts";
import { needed } from "./needed.ts";
import type { PartDeps, SyncPart } from "./part.ts";

export const matrixPart = ({ log, signal }: Omit<PartDeps, "database">): SyncPart => ({
  target: "matrix",
  platform: "matrix",
  locks: ["matrix"],
  places: ({ matrix }) => matrix?.places ?? [],
  open: ({ matrix }) => ({ target: openMatrix(needed(matrix, "matrix"), { log, signal }) }),
});
