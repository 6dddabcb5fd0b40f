/** A room's state events become what the pipeline knows of a place. Pure. */
import type { Account, Mxid, Place, PlaceId, PlaceState, Reason, RoomId, Standing } from "../model.ts";
import { newestKnownVersion, readPower, versionNumber, type Power } from "./power.ts";
import { memberContent, memberEvents, textIn, type StateEvent } from "./shapes.ts";

/** Whoever has this level or more counts as staff, as in Matrix clients. */
const moderatorLevel = 50;

/** A room's id is its place's id. */
export const placeIdOf = (room: RoomId): PlaceId => room as string as PlaceId;

/** Digests `GET /rooms/{id}/state` of one room. Unreadable when we could not manage the room: nothing is tried there. */
export function placeStateOf(
  events: readonly StateEvent[],
  about: { readonly room: RoomId; readonly place: Place; readonly bot: Mxid },
): PlaceState {
  const { room, place, bot } = about;
  const find = (type: string, stateKey = "") =>
    events.find((event) => event.type === type && event.state_key === stateKey);
  const name =
    textIn(find("m.room.name"), "name") ?? textIn(find("m.room.canonical_alias"), "alias") ?? place.id;

  if (textIn(find("m.room.member", bot), "membership") !== "join") {
    return { unreadable: notJoined(name, bot) };
  }
  const tombstone = find("m.room.tombstone");
  if (tombstone !== undefined) {
    return { unreadable: upgraded(place, name, textIn(tombstone, "replacement_room")) };
  }
  const power = readPower(find("m.room.create"), find("m.room.power_levels"));
  if (!power.known) {
    const because = `The room ${name} cannot be judged: ${power.why}.`;
    return { unreadable: { because, remedy: "Set its permissions anew with a Matrix client." } };
  }
  const powerless = lackingPower(power.value, place, name, bot);
  if (powerless !== undefined) return { unreadable: powerless };

  const members = new Map<Account, Standing>();
  for (const { account, event } of memberEvents(events)) {
    members.set(account, standingOf(account, event, { bot, power: power.value }));
  }
  const warnings = warningsOf(find, power.value, name);
  return { placeId: placeIdOf(room), name, members, coverage: "everybody", warnings };
}

// ---- Members ----------------------------------------------------------------------------------------------------

function standingOf(
  account: Mxid,
  event: StateEvent,
  room: { readonly bot: Mxid; readonly power: Power },
): Standing {
  const content = memberContent.safeParse(event.content);
  if (!content.success) return { is: "unknown", because: "its membership event cannot be understood" };
  const { membership } = content.data;
  switch (membership) {
    case "join":
    case "invite": {
      const is = membership === "join" ? "in" : "invited";
      const untouchable = whyUntouchable(account, room);
      return untouchable === undefined ? { is } : { is, untouchable };
    }
    case "knock":
      return { is: "knocking" };
    case "ban":
      return { is: "banned" };
    case "leave":
      return { is: leaveOf(account, event.sender, room.bot) };
    default:
      return { is: "unknown", because: `its membership "${membership}" is not known to this program` };
  }
}

/** Who left by choice (or declined an invitation) sent the event; what the bot took back leaves no mark. */
function leaveOf(account: Mxid, sender: string, bot: Mxid): "left" | "out" | "removed" {
  if (sender === account) return "left";
  return sender === bot ? "out" : "removed";
}

function whyUntouchable(
  account: Mxid,
  { bot, power }: { readonly bot: Mxid; readonly power: Power },
): string | undefined {
  if (account === bot) return "this is the bot itself";
  const level = power.levelOf(account);
  if (level === Number.POSITIVE_INFINITY) return "a creator of the room";
  const botLevel = power.levelOf(bot);
  if (level >= botLevel) {
    return `has power level ${String(level)}, the bot ${String(botLevel)}`;
  }
  if (level < Math.min(power.kickLevel, moderatorLevel)) return undefined;
  return `counts as staff with power level ${String(level)}`;
}

// ---- Reasons ----------------------------------------------------------------------------------------------------

export function notJoined(name: string, bot: Mxid): Reason {
  return {
    because: `The bot is not in the room ${name}.`,
    remedy: `Invite ${bot} to the room, accept the invitation with a Matrix client, and give it the power to invite and remove.`,
  };
}

function upgraded(place: Place, name: string, replacement: string | undefined): Reason {
  if (replacement === undefined) {
    return {
      because: `The room ${name} was closed.`,
      remedy: `Take ${place.id} out of the config, or put the room in its stead that people use now.`,
    };
  }
  return {
    because: `The room ${name} was upgraded and goes on as ${replacement}.`,
    remedy: `If you trust that room, write ${replacement} instead of ${place.id} into the config and invite the bot there.`,
  };
}

/** Removing needs a level only where the config may ask for removals. */
const mayRemove = (place: Place) => place.onExpiry !== "keep" || place.strangers === "remove";

function lackingPower(power: Power, place: Place, name: string, bot: Mxid): Reason | undefined {
  const needed = [
    { verb: "invite", level: power.inviteLevel },
    ...(mayRemove(place) ? [{ verb: "remove members", level: power.kickLevel }] : []),
  ];
  const level = power.levelOf(bot);
  const missing = needed.filter((one) => one.level > level);
  if (missing.length === 0) return undefined;
  const verbs = missing.map((one) => one.verb).join(" and ");
  const highest = Math.max(...missing.map((one) => one.level));
  return {
    because: `The bot may not ${verbs} in the room ${name}: it has power level ${String(level)}, this needs ${String(highest)}.`,
    remedy: `Give ${bot} power level ${String(Math.max(highest, moderatorLevel))} or more in that room.`,
  };
}

// ---- Open doors -------------------------------------------------------------------------------------------------

function warningsOf(
  find: (type: string) => StateEvent | undefined,
  power: Power,
  name: string,
): readonly string[] {
  const warnings: string[] = [];
  const joinRule = textIn(find("m.room.join_rules"), "join_rule") ?? "invite";
  if (joinRule === "public") {
    warnings.push(
      `Anybody may join the room ${name} without an invitation. Set its access to "invite only" or "ask to join".`,
    );
  }
  // Ordinary private rooms have this, too: there it concerns only guests who were invited.
  if (joinRule !== "invite" && textIn(find("m.room.guest_access"), "guest_access") === "can_join") {
    warnings.push(`Guests may join the room ${name}. Forbid guest access in its settings.`);
  }
  if (textIn(find("m.room.history_visibility"), "history_visibility") === "world_readable") {
    warnings.push(
      `Anybody may read the room ${name} without joining. Set its history to "members only" in its settings.`,
    );
  }
  if (power.usersDefault >= power.inviteLevel) {
    warnings.push(
      `Ordinary members of the room ${name} may invite others. Raise the level for invitations to ${String(moderatorLevel)} or more.`,
    );
  }
  if (power.usersDefault >= Math.min(power.kickLevel, moderatorLevel)) {
    warnings.push(
      `Ordinary members of the room ${name} cannot be told from its staff, so nobody is removed. Lower the default power level below the level for removing.`,
    );
  }
  const { roomVersion } = power;
  if (versionNumber(roomVersion) > newestKnownVersion) {
    warnings.push(
      `The room ${name} has version "${roomVersion}", which this program does not know. Check its first runs with --dry-run.`,
    );
  }
  return warnings;
}
