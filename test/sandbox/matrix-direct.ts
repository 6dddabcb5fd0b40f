/** What people say in rooms of the Matrix stand-in, and how rooms come to be over the API. It answers as Synapse does. */
import * as z from "zod";
import type { Limiter } from "./matrix-limits.ts";
import { membershipOf, type MatrixRefusal, stateOf } from "./matrix-room.ts";
import type { MatrixWorld } from "./matrix-world.ts";

const content = z.record(z.string(), z.unknown());
const creationShape = z.object({
  preset: z.enum(["private_chat", "trusted_private_chat", "public_chat"]).default("private_chat"),
  invite: z.array(z.string()).default([]),
  is_direct: z.boolean().default(false),
  name: z.string().optional(),
  initial_state: z
    .array(z.object({ type: z.string(), state_key: z.string().default(""), content }))
    .default([]),
  power_level_content_override: content.default({}),
});

export type Created =
  | { readonly is: "room"; readonly id: string }
  | { readonly is: "refused"; readonly refusal: MatrixRefusal }
  | { readonly is: "limited"; readonly waitMs: number }
  /** Another homeserver is waited for. */
  | { readonly is: "waiting" };

interface Creating {
  readonly world: MatrixWorld;
  readonly limiter: Limiter;
  readonly creator: string;
  readonly body: unknown;
  /** Asks one person in; what stands against it. */
  readonly invite: (room: string, guest: string) => MatrixRefusal | "waiting" | undefined;
}

/**
 * Limits come before anything is done. Invitations come last: where one fails, so does the request, but the room is there.
 * https://spec.matrix.org/v1.16/client-server-api/#post_matrixclientv3createroom
 */
export function createRoom({ world, limiter, creator, body, invite }: Creating): Created {
  const refused = (status: number, errcode: string, error: string): Created => ({
    is: "refused",
    refusal: { status, errcode, error },
  });
  const asked = creationShape.safeParse(body);
  if (!asked.success) return refused(400, "M_BAD_JSON", "Content cannot be understood");
  const { data } = asked;
  const bad = data.invite.find((user) => !/^@[^:]*:.+$/.test(user));
  if (bad !== undefined) return refused(400, "M_UNKNOWN", `Invalid user_id: ${bad}`);
  const waits = data.invite.map((receiver) => limiter.invite({ room: "new", receiver, issuer: creator }));
  const waitMs = waits.find((ms) => ms !== undefined) ?? limiter.send(creator);
  if (waitMs !== undefined) return { is: "limited", waitMs };

  const { name, power_level_content_override: powerLevels } = data;
  const id = world.createRoom({ creator, powerLevels, ...(name === undefined ? {} : { name }) });
  for (const { type, state_key: stateKey, content } of data.initial_state)
    world.put(id, { type, stateKey, sender: creator, content });
  for (const guest of data.invite) {
    const against = invite(id, guest);
    if (against === "waiting") return { is: "waiting" };
    if (against !== undefined) return { is: "refused", refusal: against };
    if (data.is_direct) markDirect(world, id, { creator, guest });
  }
  return { is: "room", id };
}

function markDirect(
  world: MatrixWorld,
  id: string,
  { creator, guest }: { creator: string; guest: string },
): void {
  const invitation = stateOf(world.room(id), "m.room.member", guest);
  world.put(id, {
    type: "m.room.member",
    stateKey: guest,
    sender: creator,
    content: { ...invitation?.content, is_direct: true },
  });
}

/** The texts in the rooms that somebody is in or is asked into, oldest first: what they read once they go in. */
export const textsFor = (world: MatrixWorld, user: string): readonly string[] =>
  world.messages
    .filter(({ room }) => ["join", "invite"].includes(membershipOf(world.room(room), user) ?? ""))
    .map(({ content }) => String(content["body"]));
