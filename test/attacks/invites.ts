/** Personal links: forged, foreign, expired, used before, used by a preview. */
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";

import type { Grounds, Site } from "./grounds.ts";
import { letIn } from "./knowing.ts";
import type { LetIn, Trials } from "./tally.ts";
import { formOf, type Visitor } from "./visitor.ts";
import { inviteOf, postInvite, useInvite } from "./ways.ts";

export async function forgeInvites(grounds: Grounds, { attempt }: Trials): Promise<void> {
  const { open, secure } = grounds;
  const [victim, mallory] = [grounds.newFan("invited"), grounds.newFan("forger")];
  await grounds.sync();
  const [theirs, ours, spare] = [
    await inviteOf(grounds, victim),
    await inviteOf(grounds, mallory),
    await inviteOf(grounds, victim),
  ];

  for (const [what, token] of Object.entries(forgeries(theirs, ours, [victim.fan.uuid, mallory.fan.uuid])))
    await attempt(`a personal link ${what}`, () => tryInvite(open, token));

  await attempt("a personal link that previews opened", async () => {
    for (const method of ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
      await open.visitor().send(`/invite/${theirs}`, { method });
    await open.visitor().send("/invite", { method: "GET" });
    await open.visitor().post("/invite", { token: theirs });
    return undefined;
  });
  await attempt("a personal link, ten times at once", async () => {
    const browsers = await Promise.all(Array.from({ length: 10 }, () => withForm(open, theirs)));
    const answers = await Promise.all(browsers.map(({ visitor, fields }) => visitor.post("/invite", fields)));
    const times = answers.filter(({ headers }) => headers.location === "/choose").length;
    assert.ok(times > 0, "the honest way leads there");
    return times > 1 ? `lets ${String(times)} in` : undefined;
  });
  for (const [what, token] of Object.entries({
    "that was used": theirs,
    "that was used, in other letters": otherLetters(theirs),
    "that was used, with a dot": `${theirs}.`,
    "that was used, filled up": `${theirs}=`,
  }))
    await attempt(`a personal link ${what}`, () => tryInvite(open, token));
  await attempt("a personal link after its seven days", async () => {
    await secure.passTime("a week");
    return tryInvite(secure, spare);
  });
}

async function withForm(
  site: Site,
  token: string,
): Promise<{ visitor: Visitor; fields: Readonly<Record<string, string>> }> {
  const visitor = site.visitor();
  return { visitor, fields: formOf(await visitor.get(`/invite/${token}`), "/invite").fields };
}

/** By its page, and past it. */
async function tryInvite(site: Site, token: string): Promise<LetIn> {
  const [one, other] = [site.visitor(), site.visitor()];
  await useInvite(one, encodeURIComponent(token));
  await postInvite(other, token);
  return (await letIn(one)) ?? letIn(other);
}

/** The last letter of base64url may hold bits that mean nothing: other letters for the same bytes. */
function otherLetters(token: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(token.slice(-1));
  return token.slice(0, -1) + alphabet.charAt(last ^ 1);
}

const base64 = (text: string | Buffer) => Buffer.from(text).toString("base64url");

function forgeries(
  theirs: string,
  ours: string,
  [victim, mallory]: readonly [string, string],
): Readonly<Record<string, string>> {
  const [payload = "", signature = ""] = theirs.split(".");
  const [ourPayload = "", ourSignature = ""] = ours.split(".");
  const swapped = Buffer.from(ourPayload, "base64url").toString("latin1").replaceAll(mallory, victim);
  const foreignKey = randomBytes(32);
  const signedBy = (key: string | Buffer, text: string) =>
    `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
  const plain = JSON.stringify({
    fan: victim,
    nonce: "AAAAAAAAAAAAAAAAAAAAAA",
    expiresAtMs: 9_999_999_999_999,
  });
  return {
    "without its signature": payload,
    "with an empty signature": `${payload}.`,
    "without its payload": `.${signature}`,
    "of nothing": ".",
    "that is the fan's uuid": victim,
    "that is the fan's uuid, encoded": base64(victim),
    "with another's signature": `${payload}.${ourSignature}`,
    "with another's payload under this signature": `${ourPayload}.${signature}`,
    "changed to another fan": `${Buffer.from(swapped, "latin1").toString("base64url")}.${ourSignature}`,
    "signed with a key of nothing": signedBy("", payload),
    "signed with a foreign key": signedBy(foreignKey, payload),
    "made up and signed with a foreign key": signedBy(foreignKey, base64(plain)),
    "made up without a signature": `${base64(plain)}.`,
    "as a token of the algorithm none": `${base64('{"alg":"none","typ":"JWT"}')}.${base64(plain)}.`,
    "as a token of another algorithm": `${base64('{"alg":"HS256"}')}.${base64(plain)}.${signature}`,
    "with its signature cut": theirs.slice(0, -4),
    "with a signature of one byte": `${payload}.${signature.slice(0, 2)}`,
    "with more behind it": `${theirs}AAAA`,
    "with more before it": `AAAA${theirs}`,
    "with both behind each other": `${theirs}${ours}`,
    "turned round": `${signature}.${payload}`,
    "in small letters": theirs.toLowerCase(),
    "that is very long": "A".repeat(3000),
    "of dots": "....",
    "of a path": "../../etc/passwd",
    "of SQL": "' OR 1=1 --",
  };
}
