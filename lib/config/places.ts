/** Roles and rooms as places: a rule, a list of rules, or a map with `rules`. */
import * as z from "zod";
import type { RoleId } from "../ids.ts";
import type { OnExpiry, Place, Rule } from "../model.ts";
import type { Findings, Path } from "./findings.ts";
import { contentId, contentOddity, listId, listOddity, listType } from "./lists.ts";
import { roleId, room } from "./sections.ts";
import {
  cents,
  choice,
  flag,
  isMap,
  list,
  listed,
  notA,
  type Raw,
  section,
  unknownKey,
  wholeNumber,
} from "./values.ts";

type PlaceTarget = "discord" | "matrix";

/** All roles, or all rooms, of a config. */
export function readPlaces(target: PlaceTarget, raw: unknown, findings: Findings): readonly Place[] {
  const { key, asId } = placeSections[target];
  if (raw === undefined) return [];
  if (!isMap(raw)) {
    findings.fault([key], notA("map of places and rules", raw));
    return [];
  }
  return Object.entries(raw).flatMap(([written, value]) => {
    const path = [key, written];
    const id = asId(written, path, findings);
    // Below an alias without quotes, which YAML takes for a comment, the keys of its rule stand for rooms.
    if (id === undefined && !isMap(value) && !Array.isArray(value)) return [];
    const place = readPlace(target, id ?? written, { raw: value, path, findings });
    return id === undefined ? [] : (place ?? []);
  });
}

/**
 * The roles of auto_join that have no rules of their own: they come with being brought into the server, and are taken
 * back once no rule of any role lets the member stay.
 */
export function joinPlaces(roles: readonly RoleId[], places: readonly Place[]): readonly Place[] {
  const known = new Set<string>(places.map(({ id }) => id));
  const rules = places.flatMap((place) => place.rules);
  const distinct = [...new Map(rules.map((rule) => [JSON.stringify(rule), rule])).values()];
  if (distinct.length === 0) return [];
  return roles
    .filter((id) => !known.has(id))
    .map((id) => ({
      target: "discord",
      id,
      rules: distinct,
      onExpiry: "revoke",
      // Whoever keeps a role for days of grace keeps what came with it.
      graceDays: Math.max(...places.map(({ graceDays }) => graceDays)),
      strangers: "keep",
      adopt: false,
      onlyOnJoin: true,
    }));
}

interface Written {
  readonly raw: unknown;
  readonly path: Path;
  readonly findings: Findings;
}

/** One place by its configured id; undefined, with faults noted, where it cannot be used. */
function readPlace(target: PlaceTarget, id: string, written: Written): Place | undefined {
  const { path, findings } = written;
  const parts = placeParts(written);
  if (parts === undefined) return undefined;
  const options = findings.parse(placeOptions[target], parts.options, path);
  const rules = parts.rules.flatMap(({ rule, at }) => readRule(rule, at, findings) ?? []);
  if (options === undefined) return undefined;
  return {
    target,
    id,
    rules,
    onExpiry: options.on_expiry ?? "revoke",
    graceDays: options.grace_days ?? 0,
    strangers: options.strangers ?? "keep",
    adopt: options.adopt ?? true,
    ...(options.cascade === true ? { cascade: true } : {}),
    ...(options.knock === "decline" ? { knock: "decline" } : {}),
  };
}

// ---- Their ids --------------------------------------------------------------------------------------------------

function asRole(written: string, path: Path, findings: Findings): string | undefined {
  return findings.parse(roleId, written, path);
}

function asRoom(written: string, path: Path, findings: Findings): string | undefined {
  if (written.startsWith("#") && !written.includes(":")) {
    findings.fault(path, `is an alias without a server. Write it whole, such as "${written}:example.org".`);
    return undefined;
  }
  return findings.parse(room, written, path);
}

const placeSections = {
  discord: { key: "roles", asId: asRole },
  matrix: { key: "rooms", asId: asRoom },
} as const;

// ---- The three ways to write a place ----------------------------------------------------------------------------

interface PlaceParts {
  readonly options: Raw;
  readonly rules: readonly { readonly rule: Raw; readonly at: Path }[];
}

function placeParts({ raw, path, findings }: Written): PlaceParts | undefined {
  if (Array.isArray(raw)) return { options: {}, rules: listedRules(raw, path, findings) };
  if (!isMap(raw)) {
    findings.fault(path, notA("rule, such as type: subscription", raw));
    return undefined;
  }
  if (!("rules" in raw)) {
    const { options, rest } = split(raw);
    return { options, rules: [{ rule: rest, at: path }] };
  }
  const { rules, ...options } = raw;
  for (const key of Object.keys(options).filter((name) => ruleKeys.has(name)))
    findings.fault([...path, key], "is part of a rule, and the rules stand below rules:. Move it there.");
  const items = findings.parse(list(z.unknown()), rules, [...path, "rules"]);
  return {
    options: Object.fromEntries(Object.entries(options).filter(([key]) => !ruleKeys.has(key))),
    rules: items === undefined ? [] : listedRules(items, [...path, "rules"], findings),
  };
}

function listedRules(items: readonly unknown[], path: Path, findings: Findings): PlaceParts["rules"] {
  if (items.length === 0) findings.fault(path, "is an empty list. Write the rules that let fans in.");
  return items.flatMap((item, index) => {
    const at = [...path, index];
    if (!isMap(item)) {
      findings.fault(at, notA("rule, such as type: subscription", item));
      return [];
    }
    const { options, rest } = split(item);
    for (const key of Object.keys(options))
      findings.fault(
        [...at, key],
        "belongs to the whole place, not to one of its rules. Write it beside rules:.",
      );
    return [{ rule: rest, at }];
  });
}

/** A map's keys that speak of the place, and those that speak of the rule. */
function split(raw: Raw): { readonly options: Raw; readonly rest: Raw } {
  const parts = Object.groupBy(Object.entries(raw), ([key]) => (optionKeys.has(key) ? "options" : "rest"));
  return {
    options: Object.fromEntries(parts.options ?? []),
    rest: Object.fromEntries(parts.rest ?? []),
  };
}

// ---- What stands beside the rules -------------------------------------------------------------------------------

const commonOptions = {
  grace_days: wholeNumber({ min: 0, max: 3650 }).optional(),
  strangers: choice(["keep", "remove"]).optional(),
  adopt: flag.optional(),
};
const roomOnly = { cascade: flag.optional(), knock: choice(["decline", "leave"]).optional() };

const discordExpiry = { remove_role: "revoke", kick: "evict", ignore: "keep" } as const;
const matrixExpiry = { kick: "revoke", ignore: "keep" } as const;

interface PlaceOptions {
  readonly on_expiry?: OnExpiry | undefined;
  readonly grace_days?: number | undefined;
  readonly strangers?: "keep" | "remove" | undefined;
  readonly adopt?: boolean | undefined;
  readonly cascade?: boolean | undefined;
  readonly knock?: "decline" | "leave" | undefined;
}

const placeOptions: Readonly<Record<PlaceTarget, z.ZodType<PlaceOptions>>> = {
  discord: section(
    {
      ...commonOptions,
      on_expiry: choice(["remove_role", "kick", "ignore"])
        .transform((word) => discordExpiry[word])
        .optional(),
    },
    ["rules"],
  ),
  matrix: section(
    {
      ...commonOptions,
      ...roomOnly,
      on_expiry: choice(["kick", "ignore"], { remove_role: "for Discord roles only" })
        .transform((word) => matrixExpiry[word])
        .optional(),
    },
    ["rules"],
  ),
};
const optionKeys: ReadonlySet<string> = new Set([
  "on_expiry",
  ...Object.keys(commonOptions),
  ...Object.keys(roomOnly),
]);

// ---- Rules ------------------------------------------------------------------------------------------------------

const ruleShapes = {
  subscription: {
    active_subscription: flag
      .refine(
        (active) => active,
        "cannot be false: there is no rule for fans without a subscription. Remove it.",
      )
      .optional(),
    free_trial: flag.optional(),
  },
  spending: { min_lifetime_spend_cents: cents },
  top_spender: {},
  unlock: { content_id: contentId },
  fanvue_list: { list_uuid: listId, list_type: listType.optional() },
};
const type = z.unknown();
const besideRules = [...optionKeys, "rules"];

const ruleSchemas = {
  subscription: section({ type, ...ruleShapes.subscription }, besideRules).transform(
    ({ free_trial }): Rule => ({ kind: "subscription", freeTrial: free_trial ?? true }),
  ),
  spending: section({ type, ...ruleShapes.spending }, besideRules).transform(
    ({ min_lifetime_spend_cents }): Rule => ({ kind: "spending", minCents: min_lifetime_spend_cents }),
  ),
  top_spender: section({ type, ...ruleShapes.top_spender }, besideRules).transform((): Rule => ({
    kind: "top_spender",
  })),
  unlock: section({ type, ...ruleShapes.unlock }, besideRules).transform(({ content_id }): Rule => ({
    kind: "unlock",
    contentId: content_id,
  })),
  fanvue_list: section({ type, ...ruleShapes.fanvue_list }, besideRules).transform(
    ({ list_uuid, list_type }): Rule => ({
      kind: "fanvue_list",
      list: { type: list_type ?? "custom", id: list_uuid },
    }),
  ),
} satisfies Record<Rule["kind"], z.ZodType<Rule>>;
const ruleTypes = ["subscription", "spending", "top_spender", "unlock", "fanvue_list"] as const;
const ruleType = choice(ruleTypes);
const ruleKeys: ReadonlySet<string> = new Set([
  "type",
  ...Object.values(ruleShapes).flatMap((shape) => Object.keys(shape)),
]);

function readRule(raw: Raw, path: Path, findings: Findings): Rule | undefined {
  if (raw["type"] === undefined) {
    faultMissingType(raw, path, findings);
    return undefined;
  }
  const kind = findings.parse(ruleType, raw["type"], [...path, "type"]);
  if (kind === undefined) return undefined;
  const rule = findings.parse(ruleSchemas[kind], raw, path);
  if (rule !== undefined) warnOfOddRule(rule, path, findings);
  return rule;
}

function faultMissingType(raw: Raw, path: Path, findings: Findings): void {
  const unknown = Object.keys(raw).filter((key) => !ruleKeys.has(key));
  for (const key of unknown) findings.fault([...path, key], unknownKey(key, [...ruleKeys, ...besideRules]));
  if (unknown.length === 0) findings.fault(path, `has no type. Write type: ${listed(ruleTypes)}.`);
}

function warnOfOddRule(rule: Rule, path: Path, findings: Findings): void {
  if (rule.kind === "spending" && rule.minCents === 0)
    findings.warn([...path, "min_lifetime_spend_cents"], "is 0, so every linked fan gets in.");
  const content = rule.kind === "unlock" ? contentOddity(rule.contentId) : undefined;
  if (content !== undefined) findings.warn([...path, "content_id"], content);
  const odd = rule.kind === "fanvue_list" ? listOddity(rule.list) : undefined;
  if (odd !== undefined) findings.warn([...path, "list_uuid"], odd);
}
