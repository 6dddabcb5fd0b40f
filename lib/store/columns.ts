/** From database rows to typed values. The tables are STRICT and this program alone writes them, ids parsed before. */
import { z } from "zod";
import type { Row } from "../db.ts";
import type {
  Account,
  ContentId,
  DiscordUserId,
  FanId,
  ListKey,
  Mxid,
  PlaceId,
  Platform,
  TargetName,
} from "../ids.ts";

export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw new TypeError(`Column ${column} holds no text.`);
  return value;
}

export function integer(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== "number") throw new TypeError(`Column ${column} holds no number.`);
  return value;
}

export const optionalText = (row: Row, column: string): string | undefined =>
  row[column] === null ? undefined : text(row, column);

export const optionalInteger = (row: Row, column: string): number | undefined =>
  row[column] === null ? undefined : integer(row, column);

export const flag = (row: Row, column: string): boolean => integer(row, column) === 1;

export const optionalFlag = (row: Row, column: string): boolean | undefined =>
  row[column] === null ? undefined : flag(row, column);

/** A truth value as SQLite keeps it. */
export const asFlag = (value: boolean): 0 | 1 => (value ? 1 : 0);

// ---- Ids and words ----------------------------------------------------------------------------------------------

export const fanIn = (row: Row): FanId => text(row, "fan") as FanId;
export const optionalFanIn = (row: Row): FanId | undefined => optionalText(row, "fan") as FanId | undefined;
export const accountIn = (row: Row): Account => text(row, "account") as Account;
/** An account that fans link to, that is, none of a Fanvue list. */
export const linkedAccountIn = (row: Row): DiscordUserId | Mxid =>
  text(row, "account") as DiscordUserId | Mxid;
export const placeIdIn = (row: Row): PlaceId => text(row, "place_id") as PlaceId;
export const listKeyIn = (row: Row): ListKey => text(row, "list") as ListKey;
export const optionalContentIn = (row: Row, column: string): ContentId | undefined =>
  optionalText(row, column) as ContentId | undefined;
export const platformIn = (row: Row): Platform => platforms.parse(row["platform"]);
export const targetIn = (row: Row): TargetName => targets.parse(row["target"]);

const platforms = z.enum(["discord", "matrix"]);
export const targets = z.enum(["discord", "matrix", "fanvue-lists"]);

// ---- Lists ------------------------------------------------------------------------------------------------------

const texts = z.array(z.string());

export const textsIn = (row: Row, column: string): readonly string[] =>
  texts.parse(JSON.parse(text(row, column)));
export const fansIn = (row: Row): readonly FanId[] => textsIn(row, "fans") as readonly FanId[];

/** Two lists as one, each word once, in a fixed order. */
export const union = <T extends string>(a: readonly T[], b: readonly T[]): readonly T[] =>
  [...new Set([...a, ...b])].sort();
