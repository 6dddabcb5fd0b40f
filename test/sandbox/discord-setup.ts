/** What the tests of Discord share: a server with people and roles, a target that talks to it, steps to perform. */
import { setImmediate } from "node:timers/promises";
import pino from "pino";
import type { DiscordConfig } from "../../lib/config/shape.ts";
import { openDiscord } from "../../lib/discord/target.ts";
import {
  type Account,
  type DiscordUserId,
  parseDiscordUserId,
  parseGuildId,
  type PlaceId,
} from "../../lib/ids.ts";
import type { Log } from "../../lib/log.ts";
import type { Logins } from "../../lib/logins.ts";
import type { OnExpiry, Place, PlaceState, ReadablePlace, Step, Verb } from "../../lib/model.ts";
import type { Outcome, Target } from "../../lib/target.ts";
import { discordDescription } from "./discord-description.ts";
import { type DiscordSandbox, startDiscord } from "./discord.ts";
import { addMember, addRole, roleIdAt, userIdAt } from "./discord-world.ts";

interface TestLike {
  after(fn: () => void | Promise<void>): void;
}

const description = discordDescription();

/** Starts Discord for one test and stops it after it. */
export async function discordFor(test: TestLike): Promise<DiscordSandbox> {
  const discord = await startDiscord({ description });
  test.after(() => discord.stop());
  return discord;
}

export const vip = roleIdAt(1);
export const gold = roleIdAt(2);

/** A server with the roles "VIP" and "Gold" below the bot's, and `fans` members without a role. */
export async function serverWithFans(test: TestLike, fans: number): Promise<DiscordSandbox> {
  const discord = await discordFor(test);
  addRole(discord.world, { id: vip, name: "VIP", position: 10 });
  addRole(discord.world, { id: gold, name: "Gold", position: 11 });
  for (let index = 0; index < fans; index += 1) addMember(discord.world, { id: userIdAt(index) });
  return discord;
}

export const account = (index: number): DiscordUserId => accountOf(userIdAt(index));
export function accountOf(id: string): DiscordUserId {
  const parsed = parseDiscordUserId(id);
  if (parsed === undefined) throw new Error(`${id} is no user id`);
  return parsed;
}

export const placeOf = (id: string, onExpiry: OnExpiry = "revoke"): Place => ({
  target: "discord",
  id,
  rules: [{ kind: "subscription", freeTrial: true }],
  onExpiry,
  graceDays: 0,
  strangers: "keep",
  adopt: true,
});

export function configOf(
  { apiUrl, world }: DiscordSandbox,
  places: readonly Place[],
  more: Partial<DiscordConfig> = {},
): DiscordConfig {
  const guildId = parseGuildId(world.guild.id);
  if (guildId === undefined) throw new Error("the sandbox's server has no id");
  return {
    token: world.bot.token,
    guildId,
    apiUrl,
    protectBoosters: false,
    oauth: undefined,
    places,
    autoJoin: { enabled: false, roles: [] },
    ...more,
  };
}

export interface OpenOptions extends Partial<DiscordConfig> {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly logins?: Logins;
  readonly log?: Log;
}

export function openTarget(
  discord: DiscordSandbox,
  places: readonly Place[],
  {
    signal = new AbortController().signal,
    timeoutMs = 2000,
    logins,
    log = pino({ level: "silent" }),
    ...config
  }: OpenOptions = {},
): Target {
  return openDiscord(configOf(discord, places, config), {
    log,
    signal,
    timeoutMs,
    ...(logins === undefined ? {} : { logins }),
  });
}

/** Reads one place as a run does. */
export async function readOne(
  discord: DiscordSandbox,
  place: Place,
  linked: readonly Account[] = [],
  options: OpenOptions = {},
): Promise<PlaceState> {
  const states = await openTarget(discord, [place], options).read([place], new Set(linked));
  const state = states.get(place);
  if (state === undefined) throw new Error("the target said nothing of the place");
  return state;
}

export function readable(state: PlaceState): ReadablePlace {
  if ("unreadable" in state) throw new Error(`unreadable: ${state.unreadable.because}`);
  return state;
}

export function unreadable(state: PlaceState): { because: string; remedy: string } {
  if ("unreadable" in state) return state.unreadable;
  throw new Error("the place was readable");
}

export const stepOf = (verb: Verb, account: Account, roleId: string = vip): Step => ({
  verb,
  place: placeOf(roleId),
  placeId: roleId as PlaceId,
  account,
  fans: [],
  because: "spent 123.45 of 100.00 USD",
  basis: [],
});

/** Hands steps out one by one, as a run does. */
export async function* inTurn(steps: readonly Step[]): AsyncGenerator<Step> {
  for (const step of steps) yield await Promise.resolve(step);
}

/** Resolves once a request of this path has come in; fails after some seconds without one. */
export async function discordSaw({ requests }: DiscordSandbox, path: RegExp, times = 1): Promise<void> {
  const giveUpAtMs = Date.now() + 5000;
  while (requests.filter((request) => path.test(request.path)).length < times) {
    if (Date.now() > giveUpAtMs) throw new Error(`no request for ${String(path)} came in`);
    await setImmediate();
  }
}

// ---- Performing -------------------------------------------------------------------------------------------------

export const bothPlaces: readonly Place[] = [placeOf(vip), placeOf(gold)];

/** Performs steps by a target of its own, and gives the outcomes in their order. */
export async function perform(
  discord: DiscordSandbox,
  steps: readonly Step[],
  options: OpenOptions = {},
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for await (const outcome of openTarget(discord, bothPlaces, options).perform(inTurn(steps)))
    outcomes.push(outcome);
  return outcomes;
}

/** Performs one step. */
export async function performOne(
  discord: DiscordSandbox,
  step: Step,
  options: OpenOptions = {},
): Promise<Outcome> {
  const [outcome, ...more] = await perform(discord, [step], options);
  if (outcome === undefined || more.length > 0) throw new Error("a step has one outcome");
  return outcome;
}

export const range = (count: number): readonly number[] => Array.from({ length: count }, (_, index) => index);

export const writes = ({ requests }: DiscordSandbox): DiscordSandbox["requests"] =>
  requests.filter(({ method }) => method !== "GET");

/** Adds a role to a member made by `serverWithFans`. */
export function give({ world }: DiscordSandbox, index: number, roleId: string = vip): void {
  world.members.get(userIdAt(index))?.roles.add(roleId);
}

/** Who is on record, and since when. */
export const heldSince = (accounts: Iterable<Account>, sinceMs = 0): ReadonlyMap<Account, number> =>
  new Map([...accounts].map((it) => [it, sinceMs]));
