/** A room's state events, digested: all that the target wants to know of a room. Pure. */
import type { Account, Mxid, PlaceId, RoomId } from "../ids.ts";
import type { Known } from "../facts.ts";
import type { Standing } from "../model.ts";
import { readPower, type Power } from "./power.ts";
import { allowedIn, childIn, memberContent, memberEvents, textIn, type StateEvent } from "./shapes.ts";

/** Whoever has this level or more counts as staff, as in Matrix clients. */
export const moderatorLevel = 50;

/** A room's id is its place's id. */
export const placeIdOf = (room: RoomId): PlaceId => room as string as PlaceId;

export interface Room {
  readonly id: RoomId;
  /** What people call it; undefined where it has neither a name nor an alias. */
  readonly title: string | undefined;
  readonly botIsIn: boolean;
  /** Where an upgraded or closed room goes on. */
  readonly closed: { readonly replacement: string | undefined } | undefined;
  readonly power: Known<Power>;
  /** Empty where the power in the room is not known: then nobody can be judged. */
  readonly members: ReadonlyMap<Account, Standing>;
  readonly joinRule: string;
  readonly guestAccess: string | undefined;
  readonly history: string | undefined;
  /** Rooms whose members may enter without an invitation. */
  readonly opensTo: ReadonlySet<RoomId>;
  readonly isSpace: boolean;
  /** Of a space: the rooms that it shows as its own. */
  readonly children: readonly RoomId[];
}

/** Digests `GET /rooms/{id}/state`, which shows one event per type and state key. */
export function roomOf(events: readonly StateEvent[], id: RoomId, bot: Mxid): Room {
  const find = (type: string, stateKey = "") =>
    events.find((event) => event.type === type && event.state_key === stateKey);
  const tombstone = find("m.room.tombstone");
  const power = readPower(find("m.room.create"), find("m.room.power_levels"));
  return {
    id,
    title: textIn(find("m.room.name"), "name") ?? textIn(find("m.room.canonical_alias"), "alias"),
    botIsIn: textIn(find("m.room.member", bot), "membership") === "join",
    closed: tombstone && { replacement: textIn(tombstone, "replacement_room") },
    power,
    members: power.known ? standingsOf(events, { bot, power: power.value }) : new Map(),
    joinRule: textIn(find("m.room.join_rules"), "join_rule") ?? "invite",
    guestAccess: textIn(find("m.room.guest_access"), "guest_access"),
    history: textIn(find("m.room.history_visibility"), "history_visibility"),
    opensTo: opensTo(find("m.room.join_rules")),
    isSpace: textIn(find("m.room.create"), "type") === "m.space",
    // https://spec.matrix.org/v1.16/client-server-api/#mspacechild
    children: events.flatMap((event) => (event.type === "m.space.child" ? (childIn(event) ?? []) : [])),
  };
}

const restrictedRules = new Set(["restricted", "knock_restricted"]);

/** https://spec.matrix.org/v1.16/client-server-api/#restricted-rooms */
const opensTo = (joinRules: StateEvent | undefined): ReadonlySet<RoomId> =>
  new Set(restrictedRules.has(textIn(joinRules, "join_rule") ?? "") ? allowedIn(joinRules) : []);

// ---- Members ----------------------------------------------------------------------------------------------------

interface Judging {
  readonly bot: Mxid;
  readonly power: Power;
}

const standingsOf = (events: readonly StateEvent[], by: Judging): ReadonlyMap<Account, Standing> =>
  new Map(memberEvents(events).map(({ account, event }) => [account, standingOf(account, event, by)]));

function standingOf(account: Mxid, event: StateEvent, by: Judging): Standing {
  const content = memberContent.safeParse(event.content);
  if (!content.success) return { is: "unknown", because: "its membership event cannot be understood" };
  const { membership } = content.data;
  switch (membership) {
    case "join":
    case "invite": {
      const is = membership === "join" ? "in" : "invited";
      const untouchable = whyUntouchable(account, by);
      return untouchable === undefined ? { is } : { is, untouchable };
    }
    case "knock":
      return { is: "knocking" };
    case "ban":
      return { is: "banned" };
    case "leave":
      return { is: leaveOf(account, event.sender, by.bot) };
    default:
      return { is: "unknown", because: `its membership "${membership}" is not known to this program` };
  }
}

/** Who left by choice (or declined an invitation) sent the event; what the bot took back leaves no mark. */
function leaveOf(account: Mxid, sender: string, bot: Mxid): "left" | "out" | "removed" {
  if (sender === account) return "left";
  return sender === bot ? "out" : "removed";
}

function whyUntouchable(account: Mxid, { bot, power }: Judging): string | undefined {
  if (account === bot) return "this is the bot itself";
  const level = power.levelOf(account);
  if (level === Number.POSITIVE_INFINITY) return "a creator of the room";
  const botLevel = power.levelOf(bot);
  if (level >= botLevel) return `has power level ${String(level)}, the bot ${String(botLevel)}`;
  if (level < Math.min(power.kickLevel, moderatorLevel)) return undefined;
  return `counts as staff with power level ${String(level)}`;
}
