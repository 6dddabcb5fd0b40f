/** Step 3: the link itself; and what a fan has linked. */
import { forms } from "../forms.ts";
import { confirmPage, donePage } from "../pages/confirm.ts";
import { minePage, unlinkPage } from "../pages/mine.ts";
import type { FanId } from "../../ids.ts";
import type { AccountProof, FanLink, FanProof, LinkBook, LinkResult } from "../proofs.ts";
import { common, mine as mineTexts } from "../texts.ts";
import type { Visit } from "../visits.ts";
import { type Answer, type Ask, go, type Kit, posted, refuse, type Route, show } from "./route.ts";

const toMine = { href: "/mine", text: mineTexts.title } as const;
const toChoose = { href: "/choose", text: common.startAgain } as const;

// ---- Confirming -------------------------------------------------------------------------------------------------

async function confirm(
  { visit: { fan, account }, formToken }: Ask,
  { site, linkBook }: Kit,
): Promise<Answer> {
  if (fan === undefined) return refuse("needs fan");
  if (account === undefined) return go("/choose");
  return (
    hindrance(await linkBook.wouldLink(fan, account)) ?? show(confirmPage({ site, fan, account, formToken }))
  );
}

/** Why two accounts cannot be linked, as a page; undefined where they can, or are: who links again asks to be let in again. */
function hindrance(result: LinkResult): Answer | undefined {
  switch (result.is) {
    case "linked":
    case "already":
      return undefined;
    case "blocked":
      return refuse("blocked", toChoose);
    case "taken":
      return result.by === "another fan"
        ? refuse("taken by another fan", toChoose)
        : refuse("taken by another account", toMine);
    case "waits":
      return refuse(
        result.for === "this account" ? "not taken back yet" : "other not taken back yet",
        toMine,
      );
  }
}

interface Shown {
  readonly fan: string;
  readonly platform: string;
  readonly account: string;
}

/** Links only what stood on the page that was confirmed. */
async function link(
  shown: Shown,
  { id, visit }: Ask,
  { linkBook, visits, askForSync }: Kit,
): Promise<Answer> {
  const pair = pairIn(visit, shown);
  if (pair === undefined) return refuse("out of date", toChoose);
  const { fan, account } = pair;
  const result = await linkBook.link(fan, account);
  const hindered = hindrance(result);
  if (hindered !== undefined) return hindered;
  const { platform } = account;
  visits.change(id, (now) => ({
    ...now,
    account: undefined,
    linked: { platform, account: account.account },
    unlinked: undefined,
  }));
  if (result.is !== "already" || result.isRepeated !== true) askForSync(fan.fan, platform);
  return go("/done");
}

/** What the visit holds, where that is what was shown: another tab may have proved something else since. */
function pairIn(
  { fan, account }: Visit,
  shown: Shown,
): { readonly fan: FanProof; readonly account: AccountProof } | undefined {
  if (fan === undefined || account === undefined) return undefined;
  const isShown =
    fan.fan === shown.fan && account.platform === shown.platform && account.account === shown.account;
  return isShown ? { fan, account } : undefined;
}

async function done({ visit: { fan, linked } }: Ask, { membership }: Kit): Promise<Answer> {
  if (fan === undefined) return refuse("needs fan");
  if (linked === undefined) return go("/mine");
  return show(donePage(linked, fan, await membership(linked.platform, linked.account)));
}

// ---- My links ---------------------------------------------------------------------------------------------------

async function mine({ visit: { fan, unlinked } }: Ask, { linkBook, membership }: Kit): Promise<Answer> {
  if (fan === undefined) return refuse("needs fan");
  const links = await Promise.all(
    (await linkBook.ofFan(fan.fan)).map(async (own) => ({
      link: own,
      membership: await membership(own.platform, own.account),
    })),
  );
  const isBack = links.some((own) => own.link.account === unlinked?.account);
  return show(minePage(fan, { links, unlinked: isBack ? undefined : unlinked }));
}

async function askToUnlink({ visit: { fan }, query, formToken }: Ask, { linkBook }: Kit): Promise<Answer> {
  if (fan === undefined) return refuse("needs fan");
  const own = await ownLink(linkBook, fan.fan, query.get("account") ?? "");
  return own === undefined ? refuse("out of date", toMine) : show(unlinkPage(own, formToken));
}

async function unlink(
  account: string,
  { id, visit: { fan } }: Ask,
  { linkBook, visits }: Kit,
): Promise<Answer> {
  if (fan === undefined) return refuse("needs fan");
  const own = await ownLink(linkBook, fan.fan, account);
  if (own === undefined || !(await linkBook.unlink(fan.fan, own.account)))
    return refuse("out of date", toMine);
  visits.change(id, (visit) => ({ ...visit, linked: undefined, unlinked: own }));
  return go("/mine");
}

/** A link that its fan may end. */
const ownLink = async (linkBook: LinkBook, fan: FanId, account: string): Promise<FanLink | undefined> =>
  (await linkBook.ofFan(fan)).find((own) => own.account === account && own.source === "proved");

function leave({ id }: Ask, { visits }: Kit): Answer {
  visits.end(id);
  return go("/", "ended");
}

export const linkRoutes: readonly Route[] = [
  { path: "/confirm", get: confirm, post: posted(forms.confirm, link), effort: "codes" },
  { path: "/done", get: done },
  { path: "/mine", get: mine },
  {
    path: "/unlink",
    get: askToUnlink,
    post: posted(forms.unlink, ({ account }, ask, kit) => unlink(account, ask, kit)),
  },
  { path: "/leave", post: posted(forms.nothing, (_, ask, kit) => leave(ask, kit)) },
];
