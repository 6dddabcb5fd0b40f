/**
 * The Matrix half against Synapse, the reference homeserver. All suites share one, since it takes seconds to start;
 * each test has rooms, a bot and members of its own.
 */
import assert from "node:assert/strict";
import { after, before, describe } from "node:test";

import { codes } from "./codes.ts";
import { startSynapse, whyMissing } from "./homeserver.ts";
import type { Street } from "./house.ts";
import { invitations } from "./invitations.ts";
import { limits } from "./limits.ts";
import { names } from "./names.ts";
import { notices } from "./notices.ts";
import { parity } from "./parity.ts";
import { createPeople } from "./people.ts";
import { removals } from "./removals.ts";
import { spaces } from "./spaces.ts";
import { trouble } from "./trouble.ts";

const missing = whyMissing();
if (missing !== undefined && process.env["CI"] === "true") throw new Error(missing);

let street: Street | undefined;
const theStreet = () => street ?? assert.fail("Synapse is not up");

describe(
  "on Synapse",
  { concurrency: 4, timeout: 600_000, ...(missing === undefined ? {} : { skip: missing }) },
  () => {
    before(async () => {
      const synapse = await startSynapse();
      const people = await createPeople(synapse);
      let houses = 0;
      street = { synapse, people, fresh: (word) => `${word}-${String((houses += 1))}` };
    });
    after(() => street?.synapse.stop());

    // Much of what these do is waiting, so they come first.
    limits(theStreet);
    parity(theStreet);
    invitations(theStreet);
    removals(theStreet);
    spaces(theStreet);
    trouble(theStreet);
    names(theStreet);
    codes(theStreet);
    notices(theStreet);
  },
);
