/** The entries of list_sync, and the places that they stand for. */
import type { Place, Rule } from "../model.ts";
import type { Findings, Path } from "./findings.ts";
import { isSmartByName, listOddity } from "./lists.ts";
import { listSyncEntry } from "./sections.ts";
import type { ListSync } from "./shape.ts";
import { isMap, notA, type Raw } from "./values.ts";

/** `platforms`: the sections that the config has. */
export function readListSync(
  raw: unknown,
  platforms: { readonly discord: boolean; readonly matrix: boolean },
  findings: Findings,
): readonly ListSync[] {
  if (raw === undefined) return [];
  if (!isMap(raw)) {
    findings.fault(["list_sync"], notA("map of names and entries", raw));
    return [];
  }
  return Object.entries(raw).flatMap(([name, entry]) => {
    const path = ["list_sync", name];
    if (name.trim() === "")
      findings.fault(path, "has no name. Write one before the colon; reports and --only use it.");
    if (isMap(entry)) faultEntry(entry, path, { platforms, findings });
    const read = findings.parse(listSyncEntry, entry, path);
    if (read?.list === undefined) return [];
    const { list, primary } = read;
    const odd = listOddity(list);
    if (primary === "discord" && isSmartByName(list))
      findings.fault([...path, "fanvue_list_uuid"], fillsItself);
    else if (odd !== undefined) findings.warn([...path, "fanvue_list_uuid"], odd);
    return [{ name, ...read, list }];
  });
}

// ---- Places -----------------------------------------------------------------------------------------------------

const defaults = { onExpiry: "revoke", graceDays: 0, strangers: "keep", adopt: true } as const;

/** The roles, or the rooms, on which a list decides: whoever is on the list belongs there. */
export function placesOfLists(target: "discord" | "matrix", entries: readonly ListSync[]): readonly Place[] {
  return entries.flatMap(({ name, role, room, list, primary }) => {
    const id = target === "discord" ? role : room;
    if (primary !== "fanvue" || id === undefined) return [];
    const rules: readonly Rule[] = [{ kind: "fanvue_list", list }];
    return [{ ...defaults, target, id, rules, entry: name }];
  });
}

/** The lists on which a role decides: the fans of whoever holds it belong there. */
export function mirrorPlaces(entries: readonly ListSync[]): readonly Place[] {
  return entries.flatMap(({ name, role, list, makes, primary }) =>
    primary === "discord" && role !== undefined
      ? [
          {
            ...defaults,
            target: "fanvue-lists",
            id: name,
            rules: [],
            entry: name,
            mirrors: { role, list, makes },
          },
        ]
      : [],
  );
}

// ---- Faults of one entry ----------------------------------------------------------------------------------------

interface Around {
  readonly platforms: { readonly discord: boolean; readonly matrix: boolean };
  readonly findings: Findings;
}

/** Asks the values as written, so that these faults are told together with those of single values. */
function faultEntry(entry: Raw, path: Path, { platforms, findings }: Around): void {
  const has = (key: string) => entry[key] !== undefined;
  if (!has("discord_role_id") && !has("matrix_room"))
    findings.fault(path, "says no role and no room. Write discord_role_id, or matrix_room.");
  if (!has("fanvue_list_uuid") && !has("fanvue_list"))
    findings.fault(path, "says no list. Write fanvue_list_uuid, or fanvue_list with a name.");
  if (has("fanvue_list_uuid") && has("fanvue_list"))
    findings.fault([...path, "fanvue_list"], "stands beside fanvue_list_uuid. Keep one of the two.");
  if (has("fanvue_list") && entry["fanvue_list_type"] === "smart")
    findings.fault(
      [...path, "fanvue_list_type"],
      "is smart, but fanvue_list names a custom list. Write the smart list's name as fanvue_list_uuid.",
    );
  if (has("discord_role_id") && !platforms.discord)
    findings.fault(
      [...path, "discord_role_id"],
      "needs the section discord. Add it with token and guild_id.",
    );
  if (has("matrix_room") && !platforms.matrix)
    findings.fault(
      [...path, "matrix_room"],
      "needs the section matrix. Add it with homeserver and access_token.",
    );
  if (entry["primary"] === "discord") faultDiscordPrimary(entry, path, findings);
}

const fillsItself =
  "is the name of a smart list, which Fanvue fills itself. Write primary: fanvue with fanvue_list_type: smart, or take a custom list.";

function faultDiscordPrimary(entry: Raw, path: Path, findings: Findings): void {
  if (entry["fanvue_list_type"] === "smart")
    findings.fault(
      [...path, "primary"],
      "is discord, but Fanvue fills its smart lists itself. Write primary: fanvue, or take a custom list.",
    );
  if (entry["discord_role_id"] === undefined || entry["matrix_room"] !== undefined)
    findings.fault(
      [...path, "primary"],
      "is discord, which needs a discord_role_id and no matrix_room. Write primary: fanvue for a room.",
    );
}
