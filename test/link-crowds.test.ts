/** The link pages when many come at once: what all together may ask for, and what each still gets. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { choose, inbox, troubles } from "../lib/link/texts.ts";
import type { FanProof, SignIn } from "../lib/link/proofs.ts";
import {
  ana,
  awayTo,
  fieldsOf,
  formTokenOf,
  type LinkSite,
  linkSite,
  must,
  signIn,
  type Visitor,
  visitorOf,
} from "./link-site.ts";

/** Somebody from a network that nobody else is in. */
function fromNetwork(site: LinkSite, number: number): Visitor {
  const visitor = visitorOf(site);
  visitor.headers = { "x-forwarded-for": `198.18.${number >> 8}.${number & 255}` };
  return visitor;
}

/** What many networks are answered that all ask for a code, each once. */
async function askForCodes(site: LinkSite, networks: number): Promise<readonly number[]> {
  const first = fromNetwork(site, 0);
  await first.get("/fanvue/code");
  const fields = { form_token: formTokenOf(first.page.text, "/fanvue/code"), handle: "nobody" };
  const statuses: number[] = [];
  for (let number = 1; number <= networks; number += 1) {
    const visitor = fromNetwork(site, number);
    visitor.cookie = first.cookie;
    statuses.push(
      (await visitor.request("POST", "/fanvue/code", new URLSearchParams(fields).toString())).status,
    );
  }
  return statuses;
}

describe("many networks", () => {
  it("share what may be asked for in codes for the Fanvue inbox; other ways stay open", async () => {
    const site = linkSite({ trustProxy: true });
    const statuses = await askForCodes(site, 60);
    assert.deepEqual([statuses.lastIndexOf(303), statuses.indexOf(503)], [39, 40]);

    const visitor = fromNetwork(site, 1000);
    await visitor.get("/fanvue/code");
    const refused = await visitor.send("/fanvue/code", { handle: "ana_x" });
    assert.deepEqual([refused.title, refused.headers.get("retry-after")], [troubles.busy.title, "5"]);
    await visitor.get("/");
    await signIn(visitor, "/fanvue/sign-in");
    assert.equal(visitor.page.title, choose.title);

    site.world.nowMs += 5000;
    const late = fromNetwork(site, 1001);
    await late.get("/fanvue/code");
    assert.equal((await late.send("/fanvue/code", { handle: "ana_x" })).title, inbox.codeTitle);
  });

  it("have twenty sign-ins at once asked about, and who comes beyond may come again", async () => {
    const held = Promise.withResolvers<undefined>();
    let asked = 0;
    const fanvueSignIn: SignIn<FanProof> = {
      start() {
        const state = `state ${(asked += 1)}`;
        const url = new URL(`https://auth.fanvue.com/?state=${state}`);
        return Promise.resolve({ url, state, verifier: "verifier" });
      },
      async finish() {
        await held.promise;
        return { is: "proved", proof: ana };
      },
    };
    const site = linkSite({ trustProxy: true, proofs: { fanvueSignIn } });
    const onTheWay = await Promise.all(
      Array.from({ length: 21 }, async (_, number) => {
        const visitor = fromNetwork(site, number);
        await visitor.get("/");
        await visitor.send("/fanvue/sign-in");
        const state = must(awayTo(visitor.page.text).searchParams.get("state"));
        await visitor.get(`/callback?${new URLSearchParams({ code: "good", state }).toString()}`);
        return { visitor, fields: fieldsOf(visitor.page.text, "/callback") };
      }),
    );
    const last = must(onTheWay.pop());
    const others = onTheWay.map(({ visitor, fields }) => visitor.post("/callback", fields));
    await last.visitor.post("/callback", last.fields);
    assert.equal(last.visitor.page.title, troubles.busy.title);
    held.resolve(undefined);
    for (const { title } of await Promise.all(others)) assert.equal(title, choose.title);
    await last.visitor.post("/callback", last.fields);
    assert.equal(last.visitor.page.title, choose.title);
  });
});

it("one network has few codes of other services asked about", async () => {
  const site = linkSite();
  const visitor = visitorOf(site);
  const startMs = site.world.nowMs;
  while (site.world.nowMs < startMs + 10 * 60_000) {
    await visitor.get("/");
    await visitor.send("/fanvue/sign-in");
    const state = must(awayTo(visitor.page.text).searchParams.get("state"));
    await visitor.get(`/callback?${new URLSearchParams({ code: "bad", state }).toString()}`);
    await visitor.send("/callback");
    site.world.nowMs += 1000;
  }
  // A burst of fifteen, and one in ten seconds.
  assert.equal(site.world.redeemed.length, 15 + 59);
});
