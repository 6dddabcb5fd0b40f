/** Handles of fans who exist nowhere: made of friendly words, the same ones each time. */

const moods = [
  "amber",
  "breezy",
  "cosy",
  "dapper",
  "eager",
  "fuzzy",
  "gentle",
  "hazel",
  "jolly",
  "keen",
  "lively",
  "mellow",
  "nifty",
  "plucky",
  "quiet",
  "rosy",
  "sunny",
  "tidy",
  "velvet",
  "witty",
] as const;

const creatures = [
  "otter",
  "heron",
  "badger",
  "lynx",
  "puffin",
  "marmot",
  "wren",
  "gecko",
  "walrus",
  "magpie",
  "hedgehog",
  "tapir",
  "robin",
  "narwhal",
  "dormouse",
  "kestrel",
  "panda",
  "quokka",
  "salmon",
] as const;

/** The words' counts share no factor, so both change with each step and every pair comes up once before any comes again. */
function wordsOf(index: number): readonly string[] {
  const mood = moods[index % moods.length] ?? moods[0];
  const creature = creatures[index % creatures.length] ?? creatures[0];
  const round = Math.floor(index / (moods.length * creatures.length));
  return round === 0 ? [mood, creature] : [mood, creature, String(round + 1)];
}

/** The handle of the `index`th fan (from 0): "amber-otter", "breezy-heron", …, each only once. */
export const inventedHandle = (index: number): string => wordsOf(index).join("-");

/** What is shown for a handle: "Amber Otter". */
export const shownName = (handle: string): string =>
  handle
    .split("-")
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join(" ");
