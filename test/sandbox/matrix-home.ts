/** What tests of the Matrix target share: a homeserver with a bot and an owner, and short ways to read and perform. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import pino from "pino";
import type { MatrixConfig } from "../../lib/config/shape.ts";
import { openMatrix } from "../../lib/matrix/target.ts";
import type { Times } from "../../lib/matrix/times.ts";
import { parseMxid, type Mxid, type PlaceId } from "../../lib/ids.ts";
import type { Place, PlaceState, ReadablePlace, Reason, Step, Verb } from "../../lib/model.ts";
import type { Outcome, Target } from "../../lib/target.ts";
import { startMatrix, type MatrixSandbox } from "./matrix.ts";
import type { MatrixWorld, NewRoom } from "./matrix-world.ts";

export function mxid(text: string): Mxid {
  const parsed = parseMxid(text);
  assert.ok(parsed, text);
  return parsed;
}

export function placeOf(id: string, more: Partial<Place> = {}): Place {
  const rules = [{ kind: "subscription", freeTrial: true }] as const;
  return {
    target: "matrix",
    id,
    rules,
    onExpiry: "revoke",
    graceDays: 0,
    strangers: "keep",
    adopt: true,
    ...more,
  };
}

export interface Home {
  readonly sandbox: MatrixSandbox;
  readonly world: MatrixWorld;
  readonly config: MatrixConfig;
  readonly bot: Mxid;
  readonly owner: Mxid;
  /** The bot's log, one JSON line each. */
  readonly logged: string[];
  /** A room of the owner in which the bot is a moderator (level 60) and only moderators invite. */
  readonly newRoom: (options?: Partial<NewRoom>) => string;
  readonly fan: (name: string) => Mxid;
  readonly open: (times?: Partial<Times>, signal?: AbortSignal) => Target;
  /** Opens the target and reads one room. */
  readonly readRoom: (id: string, more?: Partial<Place>) => Promise<PlaceState>;
}

/** Waits are short here: what takes seconds at a real homeserver takes some milliseconds. */
const quick: Partial<Times> = { answerMs: 400, bodyMs: 400, retryPausesMs: [1, 1], patienceMs: 2_000 };

export async function startHome(context: TestContext): Promise<Home> {
  const sandbox = await startMatrix();
  context.after(() => sandbox.stop());
  const { world } = sandbox;
  const botUser = world.addUser("bot", "syt_secret-of-the-bot");
  const bot = mxid(botUser.id);
  const owner = mxid(world.addUser("owner").id);
  const config = {
    homeserver: sandbox.url,
    userId: bot,
    accessToken: botUser.token,
    places: [],
  };
  const logged: string[] = [];
  const log = pino({ level: "trace" }, { write: (line: string) => logged.push(line) });

  const newRoom = (options: Partial<NewRoom> = {}) => {
    const room = world.createRoom({ creator: owner, name: "VIP", powerLevels: { invite: 50 }, ...options });
    world.invite(room, owner, bot);
    world.join(room, bot);
    if (options.powerLevels !== null) world.setPower(room, bot, 60);
    return room;
  };
  const open = (times: Partial<Times> = {}, signal = new AbortController().signal) =>
    openMatrix(config, { log, signal, times: { ...quick, ...times } });
  return {
    ...{ sandbox, world, config, bot, owner, logged, newRoom, open },
    fan: (name) => mxid(world.addUser(name).id),
    async readRoom(id, more) {
      const place = placeOf(id, more);
      const state = (await open().read([place], new Set())).get(place);
      assert.ok(state);
      return state;
    },
  };
}

export function readable(state: PlaceState | undefined): ReadablePlace {
  assert.ok(state && !("unreadable" in state), JSON.stringify(state));
  return state;
}

export function unreadable(state: PlaceState | undefined): Reason {
  assert.ok(state && "unreadable" in state, "the place is readable");
  return state.unreadable;
}

export function stepOf(verb: Verb, room: string, account: Mxid): Step {
  const placeId = room as PlaceId;
  return { verb, place: placeOf(room), placeId, account, fans: [], because: "spent 4711 USD", basis: [] };
}

export async function* each<T>(items: readonly T[]): AsyncIterable<T> {
  for (const item of items) yield await Promise.resolve(item);
}

export async function perform(target: Target, steps: readonly Step[]): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  for await (const outcome of target.perform(each(steps))) outcomes.push(outcome);
  return outcomes;
}

export async function performOne(target: Target, step: Step): Promise<Outcome> {
  const [outcome, ...others] = await perform(target, [step]);
  assert.ok(outcome);
  assert.deepEqual(others, []);
  return outcome;
}

export const resultsOf = (outcomes: readonly Outcome[]) =>
  Object.fromEntries(outcomes.map((outcome) => [outcome.step.account, outcome.result]));

export const posts = (sandbox: MatrixSandbox, action: string) =>
  sandbox.requests.filter((one) => one.method === "POST" && one.path.endsWith(`/${action}`));

export const rateLimited = (
  headers: Readonly<Record<string, string>>,
  more: Readonly<Record<string, unknown>> = {},
) => ({
  kind: "answer" as const,
  reply: {
    status: 429,
    body: { errcode: "M_LIMIT_EXCEEDED", error: "Too Many Requests", ...more },
    headers,
  },
});
