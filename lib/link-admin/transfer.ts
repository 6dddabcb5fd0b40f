/** Giving an account to another fan than the one who has it. */
import { BadInputError } from "../errors.ts";
import { addLink, type LinkPair, removeLink } from "../store/links.ts";
import { loadLinkList } from "./list.ts";
import { nameOf, type Office, refuseBlockedFan } from "./office.ts";

/** Ends the links of an account to all other fans and enters one to this fan. Throws a BadInputError where none would end. */
export async function transfer(
  link: LinkPair,
  { database, configPath, nowMs }: Office,
): Promise<readonly string[]> {
  const { links } = await loadLinkList(database, configPath);
  const ofAccount = links.filter(({ account }) => account === link.account);
  const others = ofAccount.filter(({ fan }) => fan !== link.fan);
  if (others.length === 0) throw nothingToTransfer(link, ofAccount.length > 0);
  return database.write((sql) => {
    refuseBlockedFan(sql, link.fan);
    for (const { platform, account, fan } of others) {
      removeLink(sql, { platform, account, fan }, "links transfer", nowMs);
    }
    addLink(sql, { ...link, source: "operator" }, nowMs);
    return [
      `${nameOf(link)} is linked now to fan ${link.fan}, and no longer to ${others.map(({ fan }) => `fan ${fan}`).join(" and ")}.`,
      "The next sync gives it what the fan is entitled to, and takes back of what we gave whatever that fan is not entitled to.",
    ];
  });
}

const nothingToTransfer = (link: LinkPair, isTheirs: boolean): BadInputError =>
  isTheirs
    ? new BadInputError(
        `${nameOf(link)} is linked to fan ${link.fan} already, and to nobody else.`,
        "There is nothing to do.",
      )
    : new BadInputError(
        `${nameOf(link)} has no link that could be transferred.`,
        `To enter one: npm run links -- add ${link.fan} ${link.account}`,
      );
