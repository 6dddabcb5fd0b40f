/** Cases as YAML files: read, checked, and turned into the nouns of the pipeline. Accounts and fans go by short names. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import type { Account, FanId, PlaceId, RoleId } from "../../lib/ids.ts";
import type {
  Grant,
  Mirror,
  Place,
  PlaceMemory,
  PlaceState,
  Presence,
  Rule,
  SpaceRoom,
  Standing,
  Step,
  Verdict,
  Want,
} from "../../lib/model.ts";
import { parseContentId, parseFanId, parseListId, parseMxid, type Mxid } from "../../lib/ids.ts";
import { rulesHash } from "../../lib/rules.ts";

export interface Case<T> {
  /** The file's name as a sentence: "lapsed fan with keep stays". */
  readonly name: string;
  readonly data: T;
}

/** All cases of a folder beside this file. A key that the schema does not know is an error. */
export function loadCases<Schema extends z.ZodType>(folder: string, schema: Schema): Case<z.infer<Schema>>[] {
  const path = join(import.meta.dirname, folder);
  return readdirSync(path)
    .filter((file) => file.endsWith(".yaml"))
    .sort()
    .map((file) => {
      const parsed = schema.safeParse(parse(readFileSync(join(path, file), "utf8")));
      if (!parsed.success) throw new Error(`${folder}/${file}: ${z.prettifyError(parsed.error)}`);
      return { name: file.replace(".yaml", "").replaceAll("-", " "), data: parsed.data };
    });
}

// ---- Names ------------------------------------------------------------------------------------------------------

const must = <T>(value: T | undefined, what: string): T => {
  if (value === undefined) throw new Error(`not a usable ${what}`);
  return value;
};

/** A fan whose uuid spells the name (six letters at most), and back. */
export const fanOf = (name: string): FanId =>
  must(
    parseFanId(`00000000-0000-4000-8000-${Buffer.from(name).toString("hex").padEnd(12, "0")}`),
    `fan: ${name}`,
  );
export const nameOfFan = (fan: FanId): string =>
  Buffer.from(fan.slice(-12), "hex").toString().replaceAll("\0", "");

export const accountOf = (name: string): Mxid => must(parseMxid(`@${name}:hs.org`), `account: ${name}`);
/** Fans stand for themselves in Fanvue lists. */
export const nameOfAccount = (account: Account): string =>
  account.startsWith("@") ? account.slice(1, -":hs.org".length) : nameOfFan(must(parseFanId(account), "fan"));

export const placeIdOf = (id: string): PlaceId => id as PlaceId;
export const roleIdOf = (id: string): RoleId => id as RoleId;

/** Rules are written as their keys: subscription, subscription:paid, spending:10000, unlock:post, fanvue_list:smart:x */
export function ruleOf(key: string): Rule {
  const [kind = "", ...rest] = key.split(":");
  switch (kind) {
    case "subscription":
      return { kind, freeTrial: rest[0] !== "paid" };
    case "spending":
      return { kind, minCents: Number(rest[0]) };
    case "top_spender":
      return { kind };
    case "unlock":
      return { kind, contentId: must(parseContentId(rest.join(":")), "content") };
    case "fanvue_list":
      return {
        kind,
        list: {
          type: rest[0] === "smart" ? "smart" : "custom",
          id: must(parseListId(rest[1] ?? ""), "list"),
        },
      };
    default:
      throw new Error(`not a rule: ${key}`);
  }
}

// ---- Schemas ----------------------------------------------------------------------------------------------------

export const time = z.string().transform((text) => {
  const timeMs = Date.parse(text);
  if (Number.isNaN(timeMs)) throw new Error(`not a time: ${text}`);
  return timeMs;
});
const names = z.array(z.string());

/** `endsAtMs` and `endedAtMs` are written as dates. */
export const verdictSchema = z.union([
  z.enum(["yes", "no", "unknown"]).transform((is): Verdict => plainVerdicts[is]),
  z.strictObject({
    is: z.literal("yes"),
    because: z.string(),
    basis: names,
    endsAtMs: time.exactOptional(),
  }),
  z.strictObject({
    is: z.literal("no"),
    because: z.string(),
    endedAtMs: time.exactOptional(),
    requested: z.literal(true).exactOptional(),
  }),
  z.strictObject({
    is: z.literal("unknown"),
    because: z.string(),
    unreadableFans: z.array(z.string().transform(fanOf)).exactOptional(),
  }),
]);

const plainVerdicts: Record<Verdict["is"], Verdict> = {
  yes: { is: "yes", because: "subscriber", basis: ["subscription"] },
  no: { is: "no", because: "not among the subscribers" },
  unknown: { is: "unknown", because: 'subscription is "paused"' },
};

const standingSchema = z.union([
  z
    .enum(["in", "invited", "out", "absent", "knocking", "banned", "left", "removed"])
    .transform((is): Standing => ({ is })),
  z.literal("joinable").transform((): Standing => ({ is: "absent", joinable: true })),
  z.literal("not kicked").transform((): Standing => ({ is: "absent", joinable: true, kick: "none" })),
  z.literal("kicked").transform((): Standing => ({ is: "absent", joinable: true, kick: { atMs: 1 } })),
  z.literal("kicked for good").transform((): Standing => ({ is: "absent", kick: { atMs: 1 } })),
  z.strictObject({ is: z.enum(["in", "invited"]), untouchable: z.string() }),
  z.strictObject({ is: z.literal("unknown"), because: z.string() }),
]);

const grantSchema = z.union([
  z
    .enum(["granted", "adopted", "found"])
    .transform((origin) => ({ origin, basis: origin === "found" ? [] : ["subscription"] })),
  z.strictObject({ origin: z.enum(["granted", "adopted", "found"]), basis: names }),
]);

const memorySchema = z.strictObject({
  /** yes: with these rules · no: never · otherwise: with other rules */
  applied: z.enum(["yes", "no", "otherwise"]).default("yes"),
  ledTo: z.string().optional(),
  /** Strangers of the first time wait for approval. */
  strangersWait: z.boolean().default(false),
  grants: z.record(z.string(), grantSchema).default({}),
  departures: z
    .record(
      z.string(),
      z.strictObject({
        how: z.enum(["left", "removed"]).default("left"),
        noticed: time,
        ended: time.optional(),
      }),
    )
    .default({}),
  /** Default: whoever is not absent now. */
  arrivals: names.optional(),
  /** Default: whoever is not absent now is there. */
  presences: z.record(z.string(), z.enum(["there", "gone", "kicked"])).optional(),
  refusals: z
    .record(z.string(), z.strictObject({ sentence: z.string(), times: z.number(), nextTry: time }))
    .default({}),
  lapsed: z.record(z.string(), time).default({}),
  removedLastDay: names.default([]),
  /** Default: as many as there are grants. */
  oursDayAgo: z.number().optional(),
});

const standings = z.record(z.string(), standingSchema).default({});

export const placeSchema = z.strictObject({
  target: z.enum(["discord", "matrix", "fanvue-lists"]).default("matrix"),
  /** Default: the key. */
  name: z.string().optional(),
  rules: names.default(["subscription"]),
  mirrors: z.string().optional(),
  onExpiry: z.enum(["revoke", "evict", "keep"]).default("revoke"),
  graceDays: z.number().default(0),
  strangers: z.enum(["keep", "remove"]).default("keep"),
  adopt: z.boolean().default(true),
  /** False: configured, but not part of this run. */
  planned: z.boolean().default(true),
  unreadable: z.strictObject({ because: z.string(), remedy: z.string() }).optional(),
  members: standings,
  /** Ids of places and rooms whose members may enter by themselves. */
  opensTo: names.optional(),
  /** A space, with the rooms that go with it. */
  rooms: z
    .record(
      z.string(),
      z.strictObject({ space: z.boolean().default(false), members: standings, opensTo: names.default([]) }),
    )
    .optional(),
  cascade: z.literal(true).optional(),
  knock: z.literal("decline").optional(),
  onlyOnJoin: z.literal(true).optional(),
  coverage: z.enum(["everybody", "linked"]).default("everybody"),
  warnings: names.default([]),
  wishes: z.record(z.string(), verdictSchema).default({}),
  memory: memorySchema.prefault({}),
});
export const placesSchema = z.record(z.string(), placeSchema);
type PlaceCase = z.infer<typeof placeSchema>;

// ---- Building ---------------------------------------------------------------------------------------------------

export interface Situation {
  readonly places: ReadonlyMap<string, Place>;
  readonly have: ReadonlyMap<Place, PlaceState>;
  readonly want: Want;
  readonly memories: ReadonlyMap<Place, PlaceMemory>;
}

/** The places of a case, with what is wanted, seen and remembered there. */
export function situationOf(cases: z.infer<typeof placesSchema>): Situation {
  const entries = Object.entries(cases).map(([id, some]) => ({ id, some, place: placeOf(id, some) }));
  return {
    places: new Map(entries.map(({ id, place }) => [id, place])),
    have: new Map(
      entries
        .filter(({ some }) => some.planned)
        .map(({ id, some, place }): [Place, PlaceState] => [place, stateOf(id, some)]),
    ),
    want: new Map(
      entries.map(({ some, place }) => [
        place,
        mapped(some.wishes, (name, verdict) => wishOf(name, verdict)),
      ]),
    ),
    memories: new Map(entries.map(({ id, some, place }) => [place, memoryOf(id, some, place)])),
  };
}

const mapped = <In, Out>(record: Record<string, In>, make: (name: string, value: In) => Out) =>
  new Map<Account, Out>(Object.entries(record).map(([name, value]) => [accountOf(name), make(name, value)]));

const placeOf = (id: string, some: PlaceCase): Place => ({
  target: some.target,
  id,
  rules: some.mirrors === undefined ? some.rules.map(ruleOf) : [],
  onExpiry: some.onExpiry,
  graceDays: some.graceDays,
  strangers: some.strangers,
  adopt: some.adopt,
  ...(some.cascade === undefined ? {} : { cascade: some.cascade }),
  ...(some.knock === undefined ? {} : { knock: some.knock }),
  ...(some.onlyOnJoin === undefined ? {} : { onlyOnJoin: some.onlyOnJoin }),
  ...(some.mirrors === undefined ? {} : { mirrors: mirrorOf(id, some.mirrors) }),
});

export const mirrorOf = (id: string, role: string): Mirror => ({
  role: roleIdOf(role),
  list: { type: "custom", id: must(parseListId(id), "list") },
  makes: false,
});

const stateOf = (id: string, some: PlaceCase): PlaceState =>
  some.unreadable !== undefined
    ? { unreadable: some.unreadable }
    : {
        placeId: placeIdOf(id),
        name: some.name ?? id,
        members: mapped(some.members, (_name, standing) => standing),
        coverage: some.coverage,
        warnings: some.warnings,
        ...(some.opensTo === undefined ? {} : { opensTo: new Set(some.opensTo.map(placeIdOf)) }),
        ...(some.rooms === undefined ? {} : { rooms: Object.entries(some.rooms).map(roomOf) }),
      };

const roomOf = ([id, some]: [string, NonNullable<PlaceCase["rooms"]>[string]]): SpaceRoom => ({
  placeId: placeIdOf(id),
  name: id,
  isSpace: some.space,
  members: mapped(some.members, (_name, standing) => standing),
  opensTo: new Set(some.opensTo.map(placeIdOf)),
});

/** An unlinked account has no fans. */
const wishOf = (name: string, verdict: Verdict) => ({
  account: accountOf(name),
  fans: verdict.is === "no" && verdict.requested === true ? [] : [fanOf(name)],
  verdict,
});

const present = (members: PlaceCase["members"]): readonly Account[] =>
  Object.entries(members)
    .filter(([, { is }]) => is !== "absent")
    .map(([name]) => accountOf(name));

const presencesOf = (presences: PlaceCase["memory"]["presences"], members: PlaceCase["members"]) =>
  new Map<Account, Presence>(
    presences === undefined
      ? present(members).map((account) => [account, { is: "there", kicksKnownToMs: Infinity }])
      : mapped(presences, (_name, is) => ({ is, kicksKnownToMs: Infinity })),
  );

function memoryOf(id: string, { memory, members }: PlaceCase, place: Place): PlaceMemory {
  const placeId = placeIdOf(memory.ledTo ?? id);
  const grants = mapped(memory.grants, (name, { origin, basis }): Grant => {
    const account = accountOf(name);
    return { placeId, account, fans: [fanOf(name)], origin, basis, sinceMs: 0, settled: true };
  });
  const hashes = { yes: rulesHash(place), no: undefined, otherwise: "other rules" };
  return {
    rulesHash: hashes[memory.applied],
    placeId: memory.applied === "no" ? undefined : placeId,
    strangersWait: memory.strangersWait,
    grants,
    departures: mapped(memory.departures, (name, { how, noticed, ended }) => ({
      account: accountOf(name),
      how,
      noticedAtMs: noticed,
      endedAtMs: ended,
    })),
    arrivals: new Set(memory.arrivals?.map(accountOf) ?? present(members)),
    presences: presencesOf(memory.presences, members),
    refusals: mapped(memory.refusals, (name, { sentence, times, nextTry }) => ({
      account: accountOf(name),
      sentence,
      times,
      nextTryAtMs: nextTry,
    })),
    lapsedSinceMs: mapped(memory.lapsed, (_name, timeMs) => timeMs),
    removedLastDay: new Set(memory.removedLastDay.map(accountOf)),
    oursDayAgo: memory.oursDayAgo ?? grants.size,
  };
}

// ---- Showing ----------------------------------------------------------------------------------------------------

/** "revoke vip ana (ana): subscription ended · hold: …": all that a step says, in a line. */
export function showStep(step: Step): string {
  const { verb, place, placeId, account, fans, because, basis, hold, requested, within } = step;
  const unless = within?.unless.map(({ id }) => id).join(", ") ?? "";
  return [
    `${verb} ${placeId} ${nameOfAccount(account)} (${fans.map(nameOfFan).join(", ")}): ${because}`,
    ...(basis.length > 0 ? [`by: ${basis.join(", ")}`] : []),
    ...(hold === undefined ? [] : [`hold: ${hold}`]),
    ...(requested === true ? ["requested"] : []),
    ...(step.declines === true ? ["declines"] : []),
    ...(step.joins === true ? ["joins"] : []),
    ...(within === undefined ? [] : [`with ${place.id}${unless === "" ? "" : ` unless ${unless}`}`]),
  ].join(" · ");
}

/** "vip ana pending: invited, has not accepted yet" */
export const showSkip = (skip: { place: Place; account: Account; why: string; because: string }): string =>
  `${skip.place.id} ${nameOfAccount(skip.account)} ${skip.why}: ${skip.because}`;
