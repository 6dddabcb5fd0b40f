/** Names that people chose for themselves elsewhere, made fit to be shown on a page of ours. Pure. */
import { plainText, shortened } from "../plain-text.ts";
import { common } from "./texts.ts";

const longestShown = 64;

/** At most 64 characters of a name, on one line. Escaping is the template's. */
export function shownName(name: string): string {
  const plain = plainText(name);
  if (plain === "") return common.noName;
  const isWhole = shortened(plain, longestShown) === plain;
  return isWhole ? plain : `${shortened(plain, longestShown - 1)}…`;
}
