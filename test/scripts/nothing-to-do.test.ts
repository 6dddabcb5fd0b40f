/** A config without places is in order, and a program reads the same document as ever. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { z } from "zod";

import { assertClean, startInstallation } from "../installation.ts";

const document = z.record(z.string(), z.unknown());

it("--json has all its fields where there is nothing to do", async (test) => {
  const home = await startInstallation(test);
  const parse = (text: string) => document.parse(JSON.parse(text));
  const usual = parse((await home.run("sync-discord", "--dry-run", "--json")).stdout);
  for (const change of [() => (home.config.roles = {}), () => delete home.config.discord]) {
    change();
    if (home.config.discord === undefined) delete home.config.roles;
    home.saveConfig();
    const result = await home.run("sync-discord", "--dry-run", "--json");
    assertClean(result);
    const { note, ...nothing } = parse(result.stdout);
    assert.match(z.string().parse(note), /^The config (names no roles|has no discord section)/);
    assert.deepEqual(Object.keys(nothing), Object.keys(usual));
    const { target, places, steps, held, requests } = nothing;
    assert.deepEqual(
      { target, places, steps, held, requests },
      {
        target: "discord",
        places: [],
        steps: [],
        held: null,
        requests: { fanvue: 0, discord: 0, matrix: 0 },
      },
    );
  }
});

it("the only member of a room, the bot itself, is no stranger; --fan counts no subscribers", async (test) => {
  const home = await startInstallation(test);
  const ana = home.addPerson("ana");
  home.entitle("subscription", ana);
  home.saveBooks();
  const { stdout } = await home.sync("matrix", "--dry-run");
  assert.doesNotMatch(stdout, /without a link/);
  assert.match(stdout, / · 9 subscribers$/m);
  const alone = await home.sync("matrix", "--dry-run", "--fan", ana.fan.uuid);
  assert.match(alone.stdout, /let in/);
  assert.doesNotMatch(alone.stdout, / · \d+ subscribers?$/m);
});
