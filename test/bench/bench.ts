/**
 * Measures syncs of large creators against the stand-ins:
 *
 *   npm run bench                  worlds of 1,000 to 100,000 fans
 *   npm run bench -- --quick       the smallest only
 *   npm run bench -- --fans 5000   one of that size
 *
 * and how 50 large Matrix rooms are read, how 500 changes are carried out on a Discord server of 10,000 members under
 * rate limits (fewer of both with --quick), and what the daemon needs while nothing happens. Exit: 0, or 1 where a steady sync asks Fanvue more than a tenth more often
 * than it must, a room takes more than one request, or the changes take 1.15 times what they must: in requests or, but
 * with --quick, in time.
 */
import { parseArgs } from "node:util";

import type { Generation } from "../sandbox/fanvue-pages.ts";
import { benchDaemon } from "./daemon.ts";
import { benchDiscord, largeScene, smallScene } from "./discord.ts";
import { measureInside, type Inside } from "./inside.ts";
import { install, type BenchInstallation, type Measured } from "./installation.ts";
import { benchMatrix } from "./matrix.ts";
import { legendOf, numberText, tableOf, type Column } from "./table.ts";
import {
  atFirst,
  buildWorld,
  leastRequests,
  letTimePass,
  since,
  subscribersOf,
  type BenchWorld,
} from "./world.ts";

interface Row extends Measured {
  readonly fans: number;
  readonly subscribers: number;
  readonly generation: Generation;
  readonly sync: "first" | "steady";
  readonly least: number;
  readonly inside: (Inside & { readonly databaseMegabytes: number }) | undefined;
}

const allowedRatio = 1.1;
/** In small worlds a single request is more than a tenth. */
const allowedMore = 1;

const columns: readonly Column<Row>[] = [
  {
    title: "fans",
    sentence: "All of them are linked and on the Discord server.",
    cell: ({ fans }) => numberText(fans),
  },
  {
    title: "subs",
    sentence: "How many of them subscribe.",
    cell: ({ subscribers }) => numberText(subscribers),
  },
  {
    title: "API",
    sentence: "Fanvue's generation: v1 tells 20 fans' figures at once, the older one 100.",
    cell: ({ generation }) => generation,
  },
  {
    title: "sync",
    sentence: "The first one reads everything; the steady one follows after one fan in a hundred has paid.",
    cell: ({ sync }) => sync,
  },
  {
    title: "requests",
    sentence: "What the sync asked Fanvue.",
    cell: ({ requests }) => numberText(requests),
  },
  {
    title: "least",
    sentence:
      "The least that could do: subscribers by 50, changed fans in bulk, the ledger by 50; no rule needs followers.",
    cell: ({ least }) => numberText(least),
  },
  { title: "ratio", sentence: "Requests against the least.", cell: (row) => numberText(ratioOf(row), 2) },
  {
    title: "Discord",
    sentence: "What the sync asked Discord, writes included.",
    cell: (row) => numberText(row.discordRequests),
  },
  {
    title: "s",
    sentence:
      "Seconds from start to exit of the script, the stand-ins' own time included, without any rate limit but Discord's 50 a second.",
    cell: ({ seconds }) => numberText(seconds, 1),
  },
  {
    title: "cpu s",
    sentence: "Processor time of the script.",
    cell: (row) => numberText(row.processorSeconds, 1),
  },
  {
    title: "peak MB",
    sentence: "The most memory that the script held.",
    cell: (row) => numberText(row.peakMegabytes),
  },
  {
    title: "plan ms",
    sentence: "From what was read to what may go: verdicts, plan and brakes; the quickest of five.",
    cell: ({ inside }) => numberText(inside?.planningMs, 1),
  },
  {
    title: "write ms",
    sentence: "One write of the database, until it is on the disk for good; the quickest of five.",
    cell: ({ inside }) => numberText(inside?.writeMs, 1),
  },
  {
    title: "MB",
    sentence: "The size of the database.",
    cell: ({ inside }) => numberText(inside?.databaseMegabytes, 1),
  },
];

const ratioOf = ({ requests, least }: Row): number => requests / least;
const isExcessive = ({ requests, least }: Row): boolean =>
  requests > Math.max(least * allowedRatio, least + allowedMore);

const say = (...lines: readonly string[]) => process.stdout.write(lines.map((line) => `${line}\n`).join(""));

/** Both syncs of a world. */
async function benchWorld(fans: number, generation: Generation): Promise<readonly Row[]> {
  process.stderr.write(`${numberText(fans)} fans, ${generation} …\n`);
  const world = buildWorld(fans);
  const installation = await install(world, generation);
  try {
    return await benchSyncs(world, installation, generation);
  } finally {
    await installation.stop();
  }
}

async function benchSyncs(
  world: BenchWorld,
  installation: BenchInstallation,
  generation: Generation,
): Promise<readonly Row[]> {
  const of = { fans: world.fans.length, generation };
  const before = {
    seenRows: world.fanvue.earnings.length,
    lastSyncMs: Date.now(),
    subscribers: subscribersOf(world),
  };
  const first = { ...of, sync: "first", subscribers: before.subscribers.size, inside: undefined } as const;
  const firstLeast = leastRequests(world, atFirst(world), generation);
  const firstMeasured = await installation.sync();

  letTimePass(world);
  await installation.ageSnapshot();
  const steady = { ...of, sync: "steady", subscribers: subscribersOf(world).size } as const;
  const least = leastRequests(world, since(world, before), generation);
  const measured = await installation.sync();
  const inside = {
    ...(await measureInside(installation)),
    databaseMegabytes: installation.databaseMegabytes(),
  };
  return [
    { ...first, ...firstMeasured, least: firstLeast },
    { ...steady, ...measured, least, inside },
  ];
}

/** How much more the same work takes in a larger world. */
function growthLines(rows: readonly Row[]): readonly string[] {
  const steady = rows.filter(({ sync, generation }) => sync === "steady" && generation === "v1");
  return steady.slice(1).map((row, index) => {
    const smaller = steady[index] ?? row;
    const times = (of: (row: Row) => number | undefined) =>
      numberText((of(row) ?? NaN) / (of(smaller) ?? NaN), 1);
    return [
      `${numberText(row.fans)} fans are ${times(({ fans }) => fans)} times ${numberText(smaller.fans)};`,
      `planning takes ${times(({ inside }) => inside?.planningMs)} times as long,`,
      `a write ${times(({ inside }) => inside?.writeMs)} times,`,
      `a steady sync ${times(({ processorSeconds }) => processorSeconds)} times the processor time`,
      `and ${times(({ peakMegabytes }) => peakMegabytes)} times the memory.`,
    ].join(" ");
  });
}

const { values: options } = parseArgs({ options: { quick: { type: "boolean" }, fans: { type: "string" } } });
const isQuick = options.quick === true;

/** The worlds that are asked for on the command line. */
function chosenWorlds(): readonly (readonly [number, Generation])[] {
  if (isQuick) return [[1000, "v1"]];
  if (options.fans !== undefined) return [[Number(options.fans), "v1"]];
  return [
    [1000, "v1"],
    [1000, "unprefixed"],
    [10_000, "v1"],
    [10_000, "unprefixed"],
    [50_000, "v1"],
    [100_000, "v1"],
  ];
}

// A plain end by a signal would leave the temporary folder and the script under way.
for (const [name, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.once(name, () => process.exit(code));
const matrix = await benchMatrix();
const discord = await benchDiscord(isQuick ? smallScene : largeScene);
const daemonLine = await benchDaemon(isQuick);
const rows: Row[] = [];
for (const [fans, generation] of chosenWorlds()) rows.push(...(await benchWorld(fans, generation)));

say(
  ...tableOf(columns, rows),
  "",
  ...legendOf(columns),
  "",
  ...growthLines(rows),
  matrix.line,
  discord.line,
  daemonLine,
);
const excessive = rows.filter((row) => row.sync === "steady" && isExcessive(row));
for (const row of excessive) {
  const asked = `${numberText(row.requests)} requests where ${numberText(row.least)} would do`;
  say(`The steady sync of ${numberText(row.fans)} fans (${row.generation}) asks too much: ${asked}.`);
}
const isFrugal = excessive.length === 0 && matrix.isLeast && discord.isLeast;
const isSwift = isQuick || discord.isSwift;
if (!isFrugal) say("bench: too many requests");
else if (!isSwift) say("bench: changes on Discord wait longer than its limits ask for");
else say("bench: steady syncs stay within 1.1 times the least, and rooms are read with one request each");
process.exitCode = isFrugal && isSwift ? 0 : 1;
