/** Why the bot cannot manage a room, in words with a remedy. Pure. */
import type { Mxid } from "../ids.ts";
import type { Place, Reason } from "../model.ts";
import type { Power } from "./power.ts";
import { moderatorLevel, type Room } from "./room.ts";

export type Deed = "invite" | "remove members";

/** What the bot must be able to do in a place: removing only where the config may ask for removals. */
export const deedsIn = (place: Place): readonly Deed[] =>
  place.onExpiry !== "keep" || place.strangers === "remove" || place.knock === "decline"
    ? ["invite", "remove members"]
    : ["invite"];

export interface Managing {
  readonly bot: Mxid;
  /** What people call the room, and how the config writes it. */
  readonly name: string;
  readonly configuredId: string;
  readonly deeds: readonly Deed[];
}

/** What keeps the bot from managing a room; undefined: nothing. In a room where that is so, nothing is tried. */
export function hindrance(room: Room, managing: Managing): Reason | undefined {
  const { bot, name } = managing;
  if (!room.botIsIn) return notJoined(name, bot);
  if (room.closed !== undefined) return upgraded(managing, room.closed.replacement);
  if (!room.power.known) {
    const because = `The room ${name} cannot be judged: ${room.power.why}.`;
    return { because, remedy: "Set its permissions anew with a Matrix client." };
  }
  return lackingPower(room.power.value, managing);
}

export function notJoined(name: string, bot: Mxid): Reason {
  return {
    because: `The bot is not in the room ${name}.`,
    remedy: `Invite ${bot} to the room, accept the invitation with a Matrix client, and give it the power to invite and remove.`,
  };
}

function upgraded({ name, configuredId }: Managing, replacement: string | undefined): Reason {
  if (replacement === undefined) {
    return {
      because: `The room ${name} was closed.`,
      remedy: `Take ${configuredId} out of the config, or put the room in its stead that people use now.`,
    };
  }
  return {
    because: `The room ${name} was upgraded and goes on as ${replacement}.`,
    remedy: `If you trust that room, write ${replacement} instead of ${configuredId} into the config and invite the bot there.`,
  };
}

function lackingPower(power: Power, { bot, name, deeds }: Managing): Reason | undefined {
  const levels: Readonly<Record<Deed, number>> = {
    invite: power.inviteLevel,
    "remove members": power.kickLevel,
  };
  const level = power.levelOf(bot);
  const missing = deeds.filter((deed) => levels[deed] > level);
  if (missing.length === 0) return undefined;
  const highest = Math.max(...missing.map((deed) => levels[deed]));
  return {
    because: `The bot may not ${missing.join(" and ")} in the room ${name}: it has power level ${String(level)}, this needs ${String(highest)}.`,
    remedy: `Give ${bot} power level ${String(Math.max(highest, moderatorLevel))} or more in that room.`,
  };
}
