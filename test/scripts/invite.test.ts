/** `links invite` as a person runs it, with the stand-in of Fanvue: killed in the middle and run again, it writes to nobody twice. */
import assert from "node:assert/strict";
import { it } from "node:test";

import { assertClean, assertToldOnStderr, settle, startInstallation } from "../installation.ts";
import { isSubscriber } from "../sandbox/fanvue-world.ts";
import { passes } from "../sandbox/faults.ts";

const invitation = /https:\/\/link\.example\.org\/invite\/\S+/;

it("sends each unlinked subscriber one link, also when it is killed in the middle", async (t) => {
  const home = await startInstallation(t, { config: { link: { public_url: "https://link.example.org" } } });
  const { fanvue } = home.town;
  const linked = home.addPerson("linked");
  for (const person of [linked, home.addPerson("ana", { linked: false })])
    home.entitle("subscription", person);
  home.saveBooks();
  await settle(home);
  const receivers = () => fanvue.world.messages.map(({ fan }) => fan).sort();
  // The town has subscribers of its own, none of whom is linked.
  const everybody = [...fanvue.world.fans.values()]
    .filter((fan) => isSubscriber(fan) && fan !== linked.fan)
    .map(({ uuid }) => uuid);
  const send = ["invite", "--all-subscribers", "--send"];

  const files = home.files();
  const dry = await home.run("links", ...send, "--dry-run");
  assertClean(dry);
  assert.match(dry.stdout, new RegExp(`\n${everybody.length} links would be sent\\. Nothing was sent\\.`));
  assert.deepEqual([home.files(), receivers()], [files, []]);

  // The third message gets through, but nobody hears of it any more.
  const script = home.start("links", ...send);
  const isThird = () => fanvue.world.messages.length === 2;
  const die = () => {
    if (isThird()) script.process.kill("SIGKILL");
  };
  fanvue.faults.push({ method: "POST", path: /\/message$/, fault: passes(), onStrike: die });
  assert.equal((await script.result).signal, "SIGKILL");
  fanvue.faults.length = 0;
  const before = receivers().length;
  assert.ok(before === 2 || before === 3, String(before));

  const resumed = await home.run("links", ...send, "--json");
  assertClean(resumed);
  assert.deepEqual([...new Set(receivers())], receivers(), "nobody twice");
  assert.ok(receivers().length >= everybody.length - 1);
  assert.ok(receivers().every((fan) => everybody.includes(fan)));
  assert.doesNotMatch(resumed.stdout + resumed.stderr, invitation);
  assert.equal(home.rows("SELECT * FROM link_invites").length, everybody.length);

  const one = await home.run("links", "invite", "--fan", "@fan-ana");
  assertClean(one);
  assert.match(one.stdout, invitation);
  assertToldOnStderr(await home.run("links", "list", "--send"), 2, /links list takes no --send/);
});
