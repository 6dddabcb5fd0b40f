/** Each request and each fault once through the real scripts, with their real patience. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";

import { noLimits, startSynced } from "../installation.ts";
import { answers, hangs } from "../sandbox/faults.ts";
import type { Generation } from "../sandbox/fanvue-pages.ts";
import type { Fault } from "../sandbox/server.ts";
import { endpointsOf } from "./cases.ts";
import { assertDiscreet, platforms, trial } from "./trial.ts";

/** The first stands at the beginning: only a run that does not know the API asks whose account it is. */
const pairs: Readonly<Record<Generation, readonly (readonly [endpoint: string, fault: string])[]>> = {
  v1: [
    ["users/me", "answers 500"],
    ["subscribers", "answers with half a body"],
    ["followers", "repeats its cursor"],
    ["insights in bulk", "answers 429"],
    ["which custom lists there are", "answers 403"],
    ["a custom list", "answers an empty page"],
    ["earnings", "drops the connection"],
    ["subscribers", "answers an unfamiliar status"],
  ],
  unprefixed: [
    ["users/me", "answers 401"],
    ["insights in batches", "answers for nobody"],
    ["which smart lists there are", "answers with a web page"],
    ["a smart list", "answers only the first row"],
    ["reversals", "answers 404"],
    ["subscribers", "answers without its rows"],
  ],
};

export async function breakWholeScripts(test: TestContext, generation: Generation): Promise<void> {
  const home = await startSynced(test, { generation, config: { limits: noLimits } });
  const { fanvue } = home.town;
  const known = endpointsOf(generation);
  for (const [index, [endpointName, faultName]] of pairs[generation].entries()) {
    const endpoint = known.find(({ name }) => name === endpointName);
    const kind = endpoint?.faults.find(({ name }) => name === faultName);
    assert.ok(endpoint !== undefined && kind !== undefined, `${endpointName} ${faultName}`);
    const platform = platforms[index % platforms.length] ?? "discord";
    const what = `sync-${platform}: ${endpointName} ${faultName}`;
    fanvue.world.tip(home.cast.spending.fan, 100);
    const fault: Fault = { path: endpoint.path, fault: kind.make() };
    fanvue.faults.push(fault);
    const { code, stdout, stderr } = await trial(home, what, () => home.run(`sync-${platform}`));
    fanvue.faults.length = 0;
    assert.ok((fault.struck ?? 0) > 0, `${what} was never met`);
    assert.equal(code, kind.isReadable === true ? 0 : 5, `${what}\n${stdout}${stderr}`);
    if (kind.isReadable !== true)
      assert.match(`${stdout}${stderr}`, /could not be read: |cannot be read: |refuses the stored/, what);
    assertDiscreet(`${stdout}${stderr}`, what);
  }
}

/** A service that keeps silent once, and then fails: the scripts' own patience decides, 30 s. */
export async function keepScriptWaiting(test: TestContext): Promise<void> {
  const home = await startSynced(test, { config: { limits: noLimits } });
  const path = /\/earnings$/;
  const silence: Fault = { path, times: 1, fault: hangs() };
  home.town.fanvue.faults.push(silence, { path, fault: answers(503, { error: "Service Unavailable" }) });
  const { code, stdout } = await trial(home, "a silent Fanvue", () => home.run("sync-discord"));
  assert.equal(silence.struck, 1);
  assert.equal(code, 5, stdout);
  assert.match(stdout, /Spending and unlocks could not be read: .* answered 503/);
}
