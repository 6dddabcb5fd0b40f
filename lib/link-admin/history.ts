/** What happened to links, as a person or a program reads it. */
import type { DiscordUserId, FanId, Mxid } from "../ids.ts";
import { type LinkEventKind, loadLinkEvents, type RecordedLinkEvent } from "../store/link-events.ts";
import { aligned, platformNames } from "./list.ts";
import type { Answer, Office } from "./office.ts";

const mostEvents = 500;

/** The recorded events of an account, a fan, or of all, newest first. Creates nothing. */
export async function showHistory(
  of: DiscordUserId | Mxid | FanId | undefined,
  { database, json }: Pick<Office, "database" | "json">,
): Promise<Answer> {
  const events = await database.read((sql) => loadLinkEvents(sql, mostEvents, of));
  return { text: json ? historyJson(events) : historyText(events), warnings: [] };
}

const words: Readonly<Record<LinkEventKind, string>> = {
  added: "linked",
  removed: "unlinked and blocked",
  unlinked: "unlinked by the fan",
  transferred: "taken from this fan and given to another",
  blocked: "blocked",
  unblocked: "no longer blocked",
  refused: "link refused",
  "invited again": "may be let in again",
  "invite made": "personal link made",
  "invite sent": "personal link sent",
  "invite used": "personal link used",
  "code sent": "code sent",
  "code right": "code typed right",
  "code wrong": "code typed wrong",
};

function historyText(events: readonly RecordedLinkEvent[]): string {
  const rows = events.map(({ atMs, platform, account, fan, event, detail }) => [
    timeOf(atMs),
    platform === undefined ? "Fanvue" : platformNames[platform],
    account ?? "–",
    fan ?? "–",
    detail === "" || detail === words[event] ? words[event] : `${words[event]} (${detail})`,
  ]);
  const most =
    events.length === mostEvents ? [`The newest ${mostEvents}; name an account or a fan to see theirs.`] : [];
  return rows.length === 0 ? "nothing on record" : [...aligned(rows), ...most].join("\n");
}

const timeOf = (timeMs: number): string =>
  `${new Date(timeMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;

function historyJson(events: readonly RecordedLinkEvent[]): string {
  const plain = events.map(({ atMs, event, platform, account, fan, detail }) => ({
    atMs,
    event,
    platform: platform ?? null,
    account: account ?? null,
    fan: fan ?? null,
    detail,
  }));
  return JSON.stringify({ events: plain }, undefined, 2);
}
