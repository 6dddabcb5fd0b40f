/** Texts that people chose for themselves elsewhere, made plain. Pure. */

/** A text on one line, without control, direction and unassigned characters, and without towers of accents. */
export const plainText = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ")
    .replaceAll(/\p{C}/gu, "")
    .normalize("NFC")
    .replaceAll(/(\p{M}{3})\p{M}+/gu, "$1")
    .replaceAll(/\s+/gu, " ")
    .trim();

/** At most `longest` code points from the beginning of a text, cut between characters as people see them. */
export function shortened(text: string, longest: number): string {
  if (text.length <= longest) return text;
  let length = 0;
  let end = 0;
  for (const { segment, index } of new Intl.Segmenter("en").segment(text)) {
    length += Array.from(segment).length;
    if (length > longest) break;
    end = index + segment.length;
  }
  return text.slice(0, end);
}
