/** What a person types, and what a program reads: options, --json, exit codes. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { z } from "zod";

import {
  assertClean,
  assertToldOnStderr,
  kinds,
  noLimits,
  settle,
  startInstallation,
  startPeopled,
  startSynced,
} from "../installation.ts";

const step = z.strictObject({
  verb: z.enum(["grant", "revoke", "evict"]),
  place: z.string(),
  placeId: z.string(),
  account: z.string(),
  fan: z.string().nullable(),
  fans: z.array(z.string()),
  because: z.string(),
  outcome: z.string().optional(),
  note: z.string().optional(),
});
const document = z.looseObject({
  target: z.enum(["discord", "matrix"]),
  dryRun: z.boolean(),
  snapshot: z.looseObject({ readAt: z.iso.datetime(), subscribers: z.number().nullable() }),
  places: z.array(z.looseObject({ place: z.string() })),
  steps: z.array(step),
  held: z.nullable(
    z.looseObject({
      hash: z.string().regex(/^[0-9a-f]{12}$/),
      reasons: z.array(z.string()),
      steps: z.array(step),
    }),
  ),
  requests: z.strictObject({ fanvue: z.number(), discord: z.number(), matrix: z.number() }),
});

describe("options of the syncs", { concurrency: 2 }, () => {
  it("--fan gives this fan what is due, takes nothing from anybody, and saves no snapshot", async (test) => {
    const home = await startSynced(test, { config: { limits: noLimits } });
    const [wanted, other] = [home.addPerson("wanted"), home.addPerson("other")];
    for (const kind of kinds) {
      home.entitle(kind, wanted);
      home.entitle(kind, other);
    }
    home.saveBooks();
    home.lapse("subscription", home.cast.subscription);
    const snapshot = () => home.rows("SELECT * FROM snapshot");
    const before = snapshot();
    for (const script of ["sync-discord", "sync-matrix"])
      assertClean(await home.run(script, "--fan", wanted.fan.uuid.toUpperCase()));
    assert.deepEqual(snapshot(), before);
    for (const kind of kinds) {
      const names = [kind, "keeper", "wanted"].sort();
      assert.deepEqual([home.holders(kind), home.guests(kind)], [names, names]);
    }

    for (const kind of kinds) home.lapse(kind, wanted);
    for (const result of await home.syncBoth("--fan", wanted.fan.uuid)) assertClean(result);
    assert.ok(
      kinds.every((kind) => home.holders(kind).includes("wanted") && home.guests(kind).includes("wanted")),
    );
  });

  it("--only looks at the places it names, and no others", async (test) => {
    const home = await startPeopled(test);
    assertClean(await home.run("sync-discord", "--only", home.roles.spending, "--only", home.roles.smart));
    assertClean(await home.sync("matrix", "--only", home.aliases.custom));
    const filled = kinds.filter((kind) => home.holders(kind).length > 0);
    const visited = kinds.filter((kind) => home.guests(kind).length > 0);
    assert.deepEqual([filled, visited], [["spending", "smart"], ["custom"]]);
  });

  it("--json prints one document, whatever happens, and nothing else on stdout", async (test) => {
    const home = await startSynced(test);
    home.lapse("subscription", home.cast.subscription);
    const late = home.addPerson("late");
    for (const kind of kinds) home.entitle(kind, late);
    home.saveBooks();
    const { code, stdout } = await home.run("sync-discord", "--json");
    assert.equal(code, 0);
    const told = document.parse(JSON.parse(stdout));
    assert.deepEqual([told.target, told.dryRun, told.places.length, told.held], ["discord", false, 6, null]);
    assert.deepEqual(
      told.steps.map(({ verb, outcome }) => `${verb} ${outcome ?? ""}`),
      [...kinds.map(() => "grant done"), "revoke done"],
    );
    assert.equal(told.steps.at(-1)?.account, home.cast.subscription.discord);
    assert.ok(told.requests.fanvue > 0 && told.requests.discord > 0 && told.requests.matrix === 0);

    for (const kind of kinds.slice(1)) home.lapse(kind, home.cast[kind]);
    const held = await home.sync("discord", "--json");
    assert.equal(held.code, 3);
    assert.equal(document.parse(JSON.parse(held.stdout)).held?.steps.length, 5);
  });

  it("an unreadable place is told of, does not stop the others, and gives exit code 4", async (test) => {
    const home = await startPeopled(test);
    const { discord, matrix } = home.town;
    discord.world.roles.delete(home.roles.subscription);
    matrix.world.leave(home.rooms.subscription, home.bot);
    for (const { code, stdout } of await home.syncBoth()) {
      assert.equal(code, 4, stdout);
      assert.match(stdout, /could not be read\n {2}! /);
    }
    assert.deepEqual(
      [home.holders("spending"), home.guests("spending")],
      [
        ["keeper", "spending"],
        ["keeper", "spending"],
      ],
    );
  });

  it("a second run finds nothing to do, and asks for little", async (test) => {
    const home = await startPeopled(test);
    await settle(home);
    for (const result of await home.syncBoth()) {
      assertClean(result);
      assert.match(result.stdout, /^Nothing to do/m);
    }
  });

  it("a config without roles or rooms leaves nothing to do", async (test) => {
    const home = await startInstallation(test);
    delete home.config.discord;
    delete home.config.roles;
    delete home.config.rooms;
    home.saveConfig();
    for (const script of ["sync-discord", "sync-matrix"]) {
      const result = await home.run(script);
      assertClean(result);
      assert.match(result.stdout, /nothing to do/);
    }
  });

  type Wrong = readonly (readonly [args: readonly string[], sentence: RegExp])[];
  const wrongOptions: Wrong = [
    [["--dryrun"], /There is no option --dryrun\. Did you mean --dry-run\?/],
    [["--aprove", "0123456789ab"], /There is no option --aprove\. Did you mean --approve\?/],
    [["-x"], /There is no option -x/],
    [["--dry-run=yes"], /--dry-run takes no value/],
    [["--approve"], /--approve needs a value/],
    [["--only", "--dry-run"], /--only needs a value/],
    [["now"], /"now" is not understood/],
    [["--config", "nowhere.yaml"], /nowhere\.yaml: there is no such file/],
  ];
  /** What the options say makes no sense for this config, or together. */
  const wrongValues: Wrong = [
    [["--fan", "mia"], /--fan mia: this is not a Fanvue uuid/],
    [["--only", "200000000000000110"], /the config has no such place[^]*Did you mean 20000000000000010\d\?/],
    [["--fan", "123e4567-e89b-42d3-a456-426614174000", "--approve", "0123456789ab"], /do not go together/],
  ];
  it("wrong options are named, with what was probably meant", async (test) => {
    const home = await startInstallation(test);
    const byScript = (...args: readonly string[]) => home.run("sync-discord", ...args);
    const inProcess = (...args: readonly string[]) => home.sync("discord", ...args);
    for (const [run, wrong] of [
      [byScript, wrongOptions],
      [inProcess, wrongValues],
    ] as const)
      for (const [args, sentence] of wrong) {
        const result = await run(...args);
        assertToldOnStderr(result, 2, sentence);
        assert.equal(result.stdout, "", args.join(" "));
      }
    assert.equal(home.town.discord.requests.length, 0);
  });

  it("--help tells all options, without any config", async (test) => {
    const home = await startInstallation(test);
    const result = await home.run("sync-matrix", "--config", "nowhere.yaml", "--help");
    assertClean(result);
    for (const name of ["dry-run", "only", "fan", "approve", "config", "data", "json", "verbose"])
      assert.ok(result.stdout.includes(`--${name}`), name);
  });
});
