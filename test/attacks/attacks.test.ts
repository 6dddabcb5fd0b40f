/**
 * Every line of the threat model of the linking site (lib/link/README.md) is tried on the real script, over HTTP and past
 * it. All attempts of a group are made before it fails; whatever any answer gives away meanwhile counts as let in.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { askWhoIsAFan, guessCodes } from "./codes.ts";
import { bringCodesThatAreNone, claimToBeMany, comeAsACrowd, keepTheDatabaseBusy } from "./crowds.ts";
import { sendFromElsewhere, sendOddFields } from "./forms.ts";
import { openGrounds, type Grounds } from "./grounds.ts";
import { forgeInvites } from "./invites.ts";
import { knowWhoTheyAre, takeOver } from "./knowing.ts";
import { guessMatrixCodes } from "./matrix.ts";
import { leadElsewhere, nameOneself, typeOddThings } from "./pages.ts";
import { readWhatIsKept } from "./secrets.ts";
import { handAround } from "./sharing.ts";
import { comeBackLate, comeBackWrongly, plantCookies } from "./signing-in.ts";
import { startTrials, tally, type Trials } from "./tally.ts";
import { bendTheProtocol, comeFromOutside, openSlowly, sendTooMuch, type SlowOnes } from "./wire.ts";

const ends: (() => unknown)[] = [];
let grounds: Grounds | undefined;
let slowOnes: SlowOnes | undefined;

before(async () => {
  grounds = await openGrounds({ after: (end) => void ends.push(end) });
  slowOnes = openSlowly(grounds);
});

after(async () => {
  for (const end of ends.reverse()) await end();
  process.stdout.write(`attacks: ${String(tally.tried)} attempts tried, ${String(tally.letIn)} let in\n`);
});

type Group = (grounds: Grounds, trials: Trials) => Promise<void>;

const slow = () => slowOnes ?? assert.fail("nobody is slow");

/** One after the other, for each looks at what the others leave behind; what ends the site comes last. */
const groups: Readonly<Record<string, Group>> = {
  "while many send next to nothing, others are answered": (_, { attempt }) => slow().othersCome(attempt),
  "whoever knows who somebody is has proved nothing": knowWhoTheyAre,
  "what is linked is not taken over": takeOver,
  "one membership is not handed around": handAround,
  "the way back from Fanvue and Discord is bound to a browser and a purpose, and works once": comeBackWrongly,
  "cookies and tabs are not mixed up": plantCookies,
  "codes on Fanvue are not guessed, moved or used twice": guessCodes,
  "codes on Matrix are not guessed, moved or used twice": guessMatrixCodes,
  "who is a fan is not told": askWhoIsAFan,
  "forms come from the visit's own pages": sendFromElsewhere,
  "fields are there once": sendOddFields,
  "names are text": nameOneself,
  "what is typed is text": typeOddThings,
  "nothing leads elsewhere": leadElsewhere,
  "odd requests do nothing": bendTheProtocol,
  "large requests are refused": sendTooMuch,
  "nobody comes from outside": comeFromOutside,
  "what is late is refused": comeBackLate,
  "personal links are not forged, and work once": forgeInvites,
  "nobody is many": claimToBeMany,
  "other services are not asked about what is made up": bringCodesThatAreNone,
  "a crowd pushes nobody out": comeAsACrowd,
  "nobody keeps the database busy": keepTheDatabaseBusy,
  "who sends next to nothing is cut off": (_, { attempt }) => slow().areCutOff(attempt),
  "what is confided is not kept": readWhatIsKept,
};

describe("promise 8: a link needs proof of both accounts", { concurrency: 1 }, () => {
  for (const [name, act] of Object.entries(groups))
    it(name, async () => {
      const here = grounds ?? assert.fail("the site is not up");
      const trials = startTrials(() => here.betrayed());
      await act(here, trials);
      trials.end();
    });
});
