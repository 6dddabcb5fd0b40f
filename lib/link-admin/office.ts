/** What all that is asked of the links has in common. */
import type { Database, Sql } from "../db.ts";
import { BadInputError } from "../errors.ts";
import type { FanId } from "../ids.ts";
import { isFanBlocked } from "../store/links.ts";
import { platformNames } from "./list.ts";
import type { PlatformAccount } from "./request.ts";

export interface Office {
  readonly database: Database;
  /** The address books lie beside the config. */
  readonly configPath: string;
  readonly nowMs: number;
  readonly json: boolean;
}
export interface Answer {
  /** For stdout. */
  readonly text: string;
  /** For the log. */
  readonly warnings: readonly string[];
}

/** Sentences as a person or a program reads them. */
export const told = ({ json }: Pick<Office, "json">, sentences: readonly string[]): Answer => ({
  text: json ? JSON.stringify({ sentences }, undefined, 2) : sentences.join("\n"),
  warnings: [],
});

export const nameOf = ({ platform, account }: PlatformAccount): string =>
  `${platformNames[platform]} account ${account}`;

/** Throws a BadInputError when a fan is blocked altogether: a link of theirs would give nothing. */
export function refuseBlockedFan(sql: Sql, fan: FanId): void {
  if (!isFanBlocked(sql, fan)) return;
  throw new BadInputError(
    `Fan ${fan} is blocked, so nothing can be linked to them.`,
    `To lift that: npm run links -- unblock ${fan}`,
  );
}
