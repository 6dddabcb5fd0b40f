/** Carries steps out on Discord: what is asked for each, and what is not asked again in this run. */
import { Routes } from "discord-api-types/v10";
import { type DiscordUserId, type GuildId, parseDiscordUserId } from "../ids.ts";
import type { Step } from "../model.ts";
import type { Outcome } from "../target.ts";
import type { Perform, Together } from "./flights.ts";
import type { Joiner } from "./join.ts";
import { type Act, judge, type Reach, type Trouble } from "./refusals.ts";
import type { Answer, DiscordRest } from "./rest.ts";

/** What the server's audit log says; moderators read it, so it holds no figures. */
const auditReasons = {
  grant: "Fanvue membership",
  revoke: "Fanvue membership ended",
  evict: "Fanvue membership ended",
} as const;

/**
 * Single-role calls: writing a member's whole set of roles would undo what others change meanwhile.
 * https://discord.com/developers/docs/resources/guild#add-guild-member-role
 */
function send(rest: DiscordRest, guildId: GuildId, step: Step): Promise<Answer> {
  const reason = auditReasons[step.verb];
  if (step.verb === "evict") return rest.delete(Routes.guildMember(guildId, step.account), reason);
  const route = Routes.guildMemberRole(guildId, step.account, step.placeId);
  return step.verb === "grant" ? rest.put(route, reason) : rest.delete(route, reason);
}

// ---- What is not asked again ------------------------------------------------------------------------------------

const reaches: readonly Reach[] = ["server", "place", "member", "act"];

function keyOf({ placeId, account }: Step, act: Act, reach: Reach): string {
  if (reach === "server") return "server";
  if (reach === "place") return `place ${placeId}`;
  if (reach === "member") return `member ${account}`;
  return act === "grant" || act === "revoke" ? `${act} ${placeId}` : act;
}

/** Judges what became of steps, and remembers which others would be refused alike. */
function createRefusals() {
  const closed = new Map<string, Trouble>();
  return {
    /** What would become of a step, where it would meet a refusal again. */
    foreseen(step: Step, act: Act): Outcome | undefined {
      const trouble = reaches
        .map((reach) => closed.get(keyOf(step, act, reach)))
        .find((each) => each !== undefined);
      return trouble && judge(step, act, trouble).outcome;
    },
    outcomeOf(step: Step, act: Act, trouble: Trouble): Outcome {
      const { outcome, closes } = judge(step, act, trouble);
      if (closes !== undefined) closed.set(keyOf(step, act, closes), trouble);
      return outcome;
    },
  };
}

// ---- Performing -------------------------------------------------------------------------------------------------

/**
 * Makes the function that carries out steps of one account. What Discord refused for more than one step is not asked
 * again in this run. It throws a PlatformError for what ends the run. Without a joiner nobody is brought in.
 */
export function createPerformer(rest: DiscordRest, guildId: GuildId, joiner?: Joiner): Perform {
  const refusals = createRefusals();

  async function performOne(step: Step): Promise<Outcome> {
    const foreseen = refusals.foreseen(step, step.verb);
    if (foreseen !== undefined) return foreseen;
    const answer = await send(rest, guildId, step);
    return answer.is === "answer" ? { step, result: "done" } : refusals.outcomeOf(step, step.verb, answer);
  }

  async function* bringIn(joiner: Joiner, account: DiscordUserId, steps: Together): AsyncGenerator<Outcome> {
    const due: Step[] = [];
    for (const step of steps) {
      const foreseen = refusals.foreseen(step, "join") ?? refusals.foreseen(step, "grant");
      if (foreseen === undefined) due.push(step);
      else yield foreseen;
    }
    if (due.length === 0) return;
    const roles = due.map(({ placeId }) => placeId);
    const joined = await joiner.join(account, roles);
    for (const step of due) {
      if (joined.is === "joined") yield { step, result: "done" };
      else if (joined.is === "member") yield await performOne(step);
      else yield refusals.outcomeOf(step, "join", joined);
    }
  }

  return async function* (steps) {
    const [first] = steps;
    const account = first.joins ? parseDiscordUserId(first.account) : undefined;
    if (joiner !== undefined && account !== undefined) yield* bringIn(joiner, account, steps);
    else for (const step of steps) yield await performOne(step);
  };
}
