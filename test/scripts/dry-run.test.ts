/** Promise 1: a dry run writes nothing, nowhere on a platform, and nothing under data/ but a rotated Fanvue token. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

import type { Platform } from "../../lib/ids.ts";
import {
  assertToldOnStderr,
  startPeopled,
  startSynced,
  type Installation,
  type Peopled,
} from "../installation.ts";
import { z } from "zod";

const both: readonly Platform[] = ["discord", "matrix"];

/** Nothing was written to a platform; what Fanvue is asked by POST, it is asked only to tell. */
function assertOnlyRead({ town: { fanvue, discord, matrix } }: Installation): void {
  const writes = [...discord.requests, ...matrix.requests, ...fanvue.requests]
    .filter(({ method, path }) => method !== "GET" && !path.endsWith("/insights/fans/batch"))
    .map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(writes, []);
}

function forgetRequests({ town: { fanvue, discord, matrix } }: Installation): void {
  for (const requests of [fanvue.api.requests, discord.requests, matrix.requests]) requests.length = 0;
}

/** As much to do as there can be: somebody comes, somebody lapses, somebody goes, a book changes. */
function disturb(home: Peopled): void {
  const late = home.addPerson("late");
  home.entitle("subscription", late);
  home.entitle("custom", late);
  home.saveBooks();
  home.lapse("subscription", home.cast.subscription);
  home.lapse("spending", home.cast.spending);
  home.lapse("unlock", home.cast.unlock);
  home.town.matrix.world.leave(home.rooms.smart, home.cast.smart.mxid);
  home.town.discord.world.members.get(home.cast.smart.discord)?.roles.delete(home.roles.smart);
}

describe("promise 1: a dry run writes nothing", { concurrency: 2 }, () => {
  it("where nothing has been synced yet: there is no database afterwards", async (test) => {
    const home = await startPeopled(test);
    const [platforms, files] = [home.platforms(), home.files()];
    for (const platform of both) {
      const { stdout, stderr } = await home.run(`sync-${platform}`, "--dry-run");
      assert.match(stdout, /only a plan, nothing was changed/);
      assert.match(stdout, /npm run fetch-earnings/, "spending and unlocks need the ledger first");
      assert.equal(stderr, "");
    }
    assertOnlyRead(home);
    assert.deepEqual(home.platforms(), platforms);
    assert.deepEqual(home.files(), files);
    assert.deepEqual([...(files ?? new Map<string, string>()).keys()], ["fanvue-token.json"]);
  });

  it("where there is everything to do: giving, taking, adopting, remembering", async (test) => {
    const home = await startSynced(test);
    disturb(home);
    const [platforms, files] = [home.platforms(), home.files()];
    forgetRequests(home);
    for (const platform of both) {
      const { code, stdout, stderr } = await home.run(`sync-${platform}`, "--dry-run");
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(stdout, /\+ .*late/);
      assert.match(stdout, /- .*fan-subscription/);
    }
    assertOnlyRead(home);
    assert.deepEqual(home.platforms(), platforms);
    assert.deepEqual(home.files(), files);
  });

  it("and it tells what the real run then does", async (test) => {
    const home = await startSynced(test);
    disturb(home);
    const shape = z.object({ steps: z.array(z.looseObject({ verb: z.string(), outcome: z.string() })) });
    const stepsOf = (text: string) => shape.parse(JSON.parse(text)).steps;
    const bare = (steps: ReturnType<typeof stepsOf>) => steps.map((step) => ({ ...step, outcome: "" }));
    for (const platform of both) {
      const shown = stepsOf((await home.sync(platform, "--dry-run", "--json")).stdout);
      const done = stepsOf((await home.sync(platform, "--json")).stdout);
      assert.ok(shown.length >= 4);
      assert.deepEqual(bare(done), bare(shown));
      assert.deepEqual(new Set(shown.map(({ outcome }) => outcome)), new Set(["planned"]));
      assert.deepEqual(new Set(done.map(({ outcome }) => outcome)), new Set(["done"]));
    }
  });

  it("but for a token that had run out: the new one is kept, for the old one is spent", async (test) => {
    const home = await startSynced(test);
    const path = join(home.dataDir, "fanvue-token.json");
    const before = home.files();
    const token = z.looseObject({}).parse(JSON.parse(readFileSync(path, "utf8")));
    writeFileSync(path, JSON.stringify({ ...token, expiresAtMs: Date.now() - 1000 }));
    const platforms = home.platforms();
    forgetRequests(home);
    const { code } = await home.run("sync-discord", "--dry-run");
    assert.equal(code, 0);
    assertOnlyRead(home);
    assert.deepEqual(home.platforms(), platforms);
    const changed = [...(home.files() ?? [])].filter(([name, bytes]) => before?.get(name) !== bytes);
    assert.deepEqual(
      changed.map(([name]) => name).filter((name) => name !== "locks/fanvue-token.lock"),
      ["fanvue-token.json"],
    );
    assert.equal((await home.sync("discord")).code, 0);
  });

  it("and without an account it makes no data folder", async (test) => {
    const home = await startPeopled(test);
    rmSync(home.dataDir, { recursive: true });
    assertToldOnStderr(
      await home.run("sync-discord", "--dry-run"),
      5,
      /No Fanvue account.*\n.*npm run authorize/,
    );
    assert.ok(!existsSync(home.dataDir));
  });

  it("also when it only takes over what the Python tool left", async (test) => {
    const home = await startPeopled(test);
    rmSync(home.dataDir, { recursive: true });
    const { accessToken, refreshToken, expiresAtMs } = home.town.fanvue.issueToken();
    const old = { access_token: accessToken, refresh_token: refreshToken, expires_at: expiresAtMs / 1000 };
    const path = join(home.folder, "fanvue_tokens.json");
    writeFileSync(path, JSON.stringify(old), { mode: 0o600 });
    const { stdout, stderr } = await home.sync("discord", "--dry-run");
    assert.match(stdout, /only a plan/);
    assert.match(stderr, /Python tool must not run any more/);
    assert.equal(readFileSync(path, "utf8"), JSON.stringify(old));
    assert.ok(!existsSync(home.dataDir));
  });
});
