/** Fanvue's lists and contents as a config names them, and what is odd about a name. */
import { type ContentId, type ListId, parseContentId, parseFanId, parseListId } from "../ids.ts";
import type { ListRef, NamedList } from "../model.ts";
import { choice, id, listed } from "./values.ts";

/** https://api.fanvue.com/docs: smart lists fill themselves and are named by these words. */
const smartLists: readonly string[] = [
  "subscribers",
  "auto_renewing",
  "non_renewing",
  "followers",
  "free_trial_subscribers",
  "expired_subscribers",
  "spent_more_than_50",
  "muted",
  "creators",
];

/** Fanvue answers with small letters; what is no uuid stays as it is. */
const asFanvueWrites = (raw: string): string => parseFanId(raw) ?? raw;

export const listId = id<ListId>(
  (raw) => parseListId(asFanvueWrites(raw)),
  "list's id",
  "Write the uuid of a custom list or the name of a smart one, without spaces.",
);
/** https://api.fanvue.com/docs: 1 to 100 characters. */
const longestName = 100;
export const listName = id<ListId>(
  (raw) => {
    const name = raw.trim();
    return name.length >= 1 && name.length <= longestName ? (name as ListId) : undefined;
  },
  "name of a list",
  "Write 1 to 100 characters, as on Fanvue.",
);
export const contentId = id<ContentId>(
  (raw) => parseContentId(asFanvueWrites(raw)),
  "content's id",
  "Write the uuid of the post, without spaces.",
);
export const listType = choice(["custom", "smart"]);

/** Whether a custom list is meant to be a smart one, by its name. */
export const isSmartByName = ({ type, id: name }: ListRef | NamedList): boolean =>
  type === "custom" && smartLists.includes(name);

/** Why nobody can be on this list, as far as its id tells; undefined where nothing is odd. */
export function listOddity({ type, id: name }: ListRef | NamedList): string | undefined {
  if (type === "named") return undefined;
  if (type === "custom" && smartLists.includes(name))
    return "is the name of a smart list, and this list is taken for a custom one. Write the type smart beside it.";
  if (type === "custom")
    return parseFanId(name) === undefined
      ? "is no uuid, so this list cannot be read and decides nothing. Write the uuid of your list."
      : undefined;
  return smartLists.includes(name)
    ? undefined
    : `is no smart list that we know of. Fanvue has ${listed(smartLists)}.`;
}

/** Why nobody can have unlocked this. */
export const contentOddity = (content: ContentId): string | undefined =>
  parseFanId(content) === undefined
    ? "is no uuid, so nobody can have unlocked it. Write the uuid of your post."
    : undefined;
