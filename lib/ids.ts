/** Branded ids: strings that only a checked parser makes, so that no account is taken for a place. No I/O. */

declare const brand: unique symbol;
type Id<Name extends string> = string & { readonly [brand]: Name };

/** A fan's Fanvue uuid, lower case. */
export type FanId = Id<"FanId">;
export type DiscordUserId = Id<"DiscordUserId">;
export type GuildId = Id<"GuildId">;
export type RoleId = Id<"RoleId">;
/** A Matrix user id, compared exactly: historical ones may hold capitals. */
export type Mxid = Id<"Mxid">;
export type RoomId = Id<"RoomId">;
export type RoomAlias = Id<"RoomAlias">;
/** A Fanvue custom list's uuid or a smart list's slug. */
export type ListId = Id<"ListId">;
/** A list as key of a map: "custom:UUID" or "smart:slug". */
export type ListKey = Id<"ListKey">;
/** The uuid of a Fanvue post (or message) that can be unlocked. */
export type ContentId = Id<"ContentId">;

/** Whoever can be in a place: a Discord user, a Matrix user, or (in Fanvue lists) a fan. */
export type Account = DiscordUserId | Mxid | FanId;
/** Where accounts live. */
export type Platform = "discord" | "matrix";
export type TargetName = "discord" | "matrix" | "fanvue-lists";
/** The member's real place on the platform: role id, room id (never an alias), list uuid. The journal speaks of these. */
export type PlaceId = Id<"PlaceId">;

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const snowflake = /^[1-9]\d{14,19}$/;
const mxid = /^@[^:\0]+:[^\s/]+$/;
const roomId = /^![^\0\s]+$/;
const roomAlias = /^#[^:\0\s]+:[^\s/]+$/;
const maxMatrixIdBytes = 255;

const utf8Bytes = (text: string) => new TextEncoder().encode(text).length;

export const parseFanId = (text: string): FanId | undefined => {
  const lower = text.trim().toLowerCase();
  return uuid.test(lower) ? (lower as FanId) : undefined;
};
export const parseDiscordUserId = (text: string): DiscordUserId | undefined =>
  snowflake.test(text) ? (text as DiscordUserId) : undefined;
export const parseGuildId = (text: string): GuildId | undefined =>
  snowflake.test(text) ? (text as GuildId) : undefined;
export const parseRoleId = (text: string): RoleId | undefined =>
  snowflake.test(text) ? (text as RoleId) : undefined;
/** https://spec.matrix.org/v1.16/appendices/#user-identifiers */
export const parseMxid = (text: string): Mxid | undefined =>
  mxid.test(text) && utf8Bytes(text) <= maxMatrixIdBytes ? (text as Mxid) : undefined;
/** Room ids of version 12 have no domain part: https://spec.matrix.org/v1.16/rooms/v12/ */
export const parseRoomId = (text: string): RoomId | undefined =>
  roomId.test(text) && utf8Bytes(text) <= maxMatrixIdBytes ? (text as RoomId) : undefined;
export const parseRoomAlias = (text: string): RoomAlias | undefined =>
  roomAlias.test(text) && utf8Bytes(text) <= maxMatrixIdBytes ? (text as RoomAlias) : undefined;
/** Lists and contents are named by uuids, but placeholders of a first config must load: any word will do. */
export const parseListId = (text: string): ListId | undefined =>
  /^\S+$/.test(text) ? (text as ListId) : undefined;
export const parseContentId = (text: string): ContentId | undefined =>
  /^\S+$/.test(text) ? (text as ContentId) : undefined;

/** Order by plain code units: the same on every machine, whatever its language. */
export const compareIds = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
