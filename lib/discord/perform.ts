/** Carries steps out on Discord, a few at a time and never two of one member at once. */
import { Routes } from "discord.js";
import { PlatformError } from "../errors.ts";
import type { Account, GuildId } from "../ids.ts";
import type { Step } from "../model.ts";
import type { Outcome } from "../target.ts";
import { judge, type Reach } from "./refusals.ts";
import type { Answer, DiscordRest } from "./rest.ts";

const maxInFlight = 4;

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

const keyOf = (step: Step, reach: Reach): string => {
  if (reach === "server") return "server";
  return reach === "place" ? step.placeId : `${step.verb} ${step.placeId}`;
};

/**
 * Makes the function that carries out one step. What Discord refused for a whole place is not asked again in this run.
 * It throws a PlatformError for what ends the run.
 */
export function createPerformer(rest: DiscordRest, guildId: GuildId): (step: Step) => Promise<Outcome> {
  const closed = new Map<string, string>();
  const closedFor = (step: Step): string | undefined =>
    closed.get(keyOf(step, "server")) ?? closed.get(keyOf(step, "place")) ?? closed.get(keyOf(step, "verb"));

  return async (step) => {
    const known = closedFor(step);
    if (known !== undefined) return { step, result: "failed", blame: "place", sentence: known };
    const { outcome, closes } = judge(step, await send(rest, guildId, step));
    if (closes !== undefined && outcome.result === "failed")
      closed.set(keyOf(step, closes), outcome.sentence);
    return outcome;
  };
}

// ---- Several at a time ------------------------------------------------------------------------------------------

type Event =
  | { readonly is: "pulled"; readonly next: IteratorResult<Step, unknown> }
  | { readonly is: "finished"; readonly flight: Flight; readonly outcome: Outcome; readonly end?: End }
  | { readonly is: "broken"; readonly end: End };
/** What ends the run. */
interface End {
  readonly error: unknown;
}
interface Flight {
  readonly account: Account;
  readonly settled: Promise<Event>;
}

/** The step during which the run ended: it was not carried out, and it is our doing. */
function endedDuring(flight: Flight, step: Step, error: unknown): Event {
  const sentence = error instanceof PlatformError ? error.message : "The run ended by a bug.";
  const outcome: Outcome = { step, result: "failed", blame: "us", sentence };
  return { is: "finished", flight, outcome, end: { error } };
}

/** Starts a step as soon as no other of the same member is under way. */
function takeOff(step: Step, flights: Set<Flight>, perform: (step: Step) => Promise<Outcome>): void {
  const before = [...flights].filter(({ account }) => account === step.account).map(({ settled }) => settled);
  const flight: Flight = {
    account: step.account,
    settled: Promise.all(before)
      .then(() => perform(step))
      .then(
        (outcome): Event => ({ is: "finished", flight, outcome }),
        (error: unknown): Event => endedDuring(flight, step, error),
      ),
  };
  flights.add(flight);
}

const pullFrom = (source: AsyncIterator<Step>): Promise<Event> =>
  source.next().then(
    (next): Event => ({ is: "pulled", next }),
    (error: unknown): Event => ({ is: "broken", end: { error } }),
  );

/**
 * Pulls steps and yields their outcomes in the order in which they come. Once the signal is aborted, nothing more is
 * pulled; what is under way is waited for. An error that ends the run is thrown when all that was under way is told.
 */
export async function* performAll(
  steps: AsyncIterable<Step>,
  perform: (step: Step) => Promise<Outcome>,
  signal: AbortSignal,
): AsyncGenerator<Outcome, void, undefined> {
  const source = steps[Symbol.asyncIterator]();
  const flights = new Set<Flight>();
  let pull: Promise<Event> | undefined;
  let isDry = false;
  let end: End | undefined;
  try {
    for (;;) {
      const mayPull = !isDry && !signal.aborted && end === undefined && flights.size < maxInFlight;
      if (mayPull) pull ??= pullFrom(source);
      const waiting = [...flights].map(({ settled }) => settled);
      if (pull !== undefined) waiting.push(pull);
      if (waiting.length === 0) break;
      const event = await Promise.race(waiting);
      if (event.is === "finished") flights.delete(event.flight);
      else pull = undefined;
      if (event.is !== "pulled") end ??= event.end;
      else if (event.next.done === true) isDry = true;
      else takeOff(event.next.value, flights, perform);
      if (event.is === "finished") yield event.outcome;
    }
  } finally {
    await Promise.all([...flights].map(({ settled }) => settled));
    await source.return?.();
  }
  if (end !== undefined) throw end.error;
}
