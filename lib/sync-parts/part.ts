/** What a sync script is made of. */
import type { Config } from "../config/shape.ts";
import type { Database } from "../db.ts";
import type { Fanvue } from "../fanvue/client.ts";
import type { Platform, TargetName } from "../ids.ts";
import type { LockName } from "../lock.ts";
import type { Log } from "../log.ts";
import type { Place } from "../model.ts";
import type { RoleHolders, Target } from "../target.ts";

/** One target that a script brings in line. */
export interface SyncPart {
  readonly target: TargetName;
  /** Whose accounts the places hold, or, of Fanvue lists, stand behind the fans there. */
  readonly platform: Platform;
  readonly locks: readonly LockName[];
  /** All places of the target. */
  readonly places: (config: Config) => readonly Place[];
  readonly open: (config: Config, fanvue: Fanvue) => Opened | Promise<Opened>;
}

export interface Opened {
  readonly target: Target;
  readonly holders?: RoleHolders;
}

/** What one sync script brings. */
export interface SyncScript {
  readonly script: string;
  /** What its report is about. */
  readonly target: TargetName;
  readonly database: Database;
  /** Brought in line one after the other. */
  readonly parts: readonly SyncPart[];
  /** Whether a place is this script's; default all. The others are asked only whether they justify somebody's presence. */
  readonly looksAfter?: (place: Place) => boolean;
  /** Whether it makes the Fanvue lists that its places ask for; default no. */
  readonly makesLists?: boolean;
}

/** Whether a place is the script's to look after. */
export const isOwn = (place: Place, { looksAfter }: SyncScript): boolean => looksAfter?.(place) ?? true;

/** What a part is made from. */
export interface PartDeps {
  readonly database: Database;
  readonly log: Log;
  readonly signal: AbortSignal;
}
