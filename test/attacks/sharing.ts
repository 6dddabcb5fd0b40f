/** One membership lets one account in at a time: what came with a link is taken back before the next one is made. */
import assert from "node:assert/strict";

import { eventually } from "../browser/site.ts";
import type { Person } from "../installation.ts";
import type { Grounds } from "./grounds.ts";
import type { LetIn, Trials } from "./tally.ts";
import { formsIn, type Visitor } from "./visitor.ts";
import { confirm, linked, proveDiscord, ready, signedIn } from "./ways.ts";

export async function handAround(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { home, open } = grounds;
  const holders = () => home.holders("subscription");
  const member = grounds.newFan("member");
  const [friend, stranger] = ["friend", "passer-by"].map((name) => home.addPerson(name, { linked: false }));
  assert.ok(friend !== undefined && stranger !== undefined);
  await grounds.sync();
  const theirs = await linked(grounds, member);
  await eventually("the member's role", () => holders().includes(member.name));
  await unlink(theirs, member);
  grounds.allowLinks();

  await attempt("a second account, while the first still has its role", async () => {
    const visitor = await signedIn(open, member);
    await proveDiscord(visitor, { ...member, discord: friend.discord });
    return confirmed(visitor);
  });
  await attempt("the unlinked account with a Fanvue account that pays nothing", async () => {
    const visitor = await signedIn(open, stranger);
    await proveDiscord(visitor, { ...stranger, discord: member.discord });
    return confirmed(visitor);
  });

  await grounds.sync();
  assert.ok(!holders().includes(member.name), "what came with the link is taken back");
  const moved = await ready(open, { ...member, discord: friend.discord });
  await confirm(moved);
  grounds.allowLinks();
  await eventually("the friend's role", () => holders().includes(friend.name));
}

async function unlink(visitor: Visitor, { discord }: Person): Promise<void> {
  const answer = await visitor.submit(`/unlink?account=${discord}`, "/unlink");
  assert.equal(answer.headers.location, "/mine", answer.text);
}

/** Whether the page of confirmation is shown, or answered. */
async function confirmed(visitor: Visitor): Promise<LetIn> {
  const page = await visitor.get("/confirm");
  const form = formsIn(page).find(({ action }) => action === "/confirm");
  if (form === undefined && page.status >= 400) return undefined;
  const answer = await visitor.post("/confirm", form?.fields ?? {});
  return answer.status < 400 ? "is linked" : "is offered";
}
