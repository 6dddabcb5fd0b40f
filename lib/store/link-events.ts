/** What happened to links, for good: nothing here is ever changed or deleted. Holds no secrets. */
import { z } from "zod";
import type { Row, Sql } from "../db.ts";
import type { DiscordUserId, FanId, Mxid, Platform } from "../ids.ts";
import { integer, linkedAccountIn, optionalFanIn, optionalText, platformIn, text } from "./columns.ts";

const kinds = z.enum([
  "added",
  "removed",
  "invited again",
  "unlinked",
  "transferred",
  "blocked",
  "unblocked",
  "refused",
  "invite made",
  "invite sent",
  "invite used",
  "code sent",
  "code right",
  "code wrong",
]);
export type LinkEventKind = z.infer<typeof kinds>;

export interface LinkEvent {
  readonly event: LinkEventKind;
  /** Undefined where it is about a fan alone. */
  readonly platform?: Platform | undefined;
  readonly account?: DiscordUserId | Mxid | undefined;
  readonly fan?: FanId | undefined;
  /** A few words for the operator, such as who or what caused it. */
  readonly detail?: string;
}
export interface RecordedLinkEvent extends LinkEvent {
  readonly atMs: number;
  readonly detail: string;
}

/** Records one event. */
export function saveLinkEvent(sql: Sql, { event, platform, account, fan, detail }: LinkEvent, nowMs: number) {
  sql.run(
    "INSERT INTO link_events (at_ms, event, platform, account, fan, detail) VALUES (?, ?, ?, ?, ?, ?)",
    [nowMs, event, platform ?? null, account ?? null, fan ?? null, detail ?? ""],
  );
}

/** Whether an event of this kind is on record for a pair since then. */
export const isRecordedSince = (
  sql: Sql,
  { event, account, fan }: { readonly event: LinkEventKind } & Pick<Required<LinkEvent>, "account" | "fan">,
  sinceMs: number,
): boolean =>
  sql.get("SELECT 1 FROM link_events WHERE fan = ? AND account = ? AND event = ? AND at_ms > ?", [
    fan ?? null,
    account ?? null,
    event,
    sinceMs,
  ]) !== undefined;

/** The newest `limit` events, newest first: all, or those that name one account or one fan. */
export function loadLinkEvents(
  sql: Sql,
  limit: number,
  of?: DiscordUserId | Mxid | FanId,
): readonly RecordedLinkEvent[] {
  return sql
    .all("SELECT * FROM link_events WHERE ?1 IS NULL OR account = ?1 OR fan = ?1 ORDER BY id DESC LIMIT ?2", [
      of ?? null,
      limit,
    ])
    .map(eventIn);
}

/** The events after one, oldest first; `version` as `loadLinksVersion` gives it. */
export const loadLinkEventsAfter = (sql: Sql, version: number): readonly RecordedLinkEvent[] =>
  sql.all("SELECT * FROM link_events WHERE id > ? ORDER BY id", [version]).map(eventIn);

const eventIn = (row: Row): RecordedLinkEvent => ({
  atMs: integer(row, "at_ms"),
  event: kinds.parse(row["event"]),
  platform: row["platform"] === null ? undefined : platformIn(row),
  account: optionalText(row, "account") === undefined ? undefined : linkedAccountIn(row),
  fan: optionalFanIn(row),
  detail: text(row, "detail"),
});
