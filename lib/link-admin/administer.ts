/** Carries out what an operator asks of the links, and says what follows from it. */
import { writeFileSync } from "node:fs";
import { loadLinksFile } from "../config/address-book.ts";
import type { Sql } from "../db.ts";
import { BadInputError } from "../errors.ts";
import type { FanId } from "../ids.ts";
import {
  addLink,
  type Block,
  inviteAgain,
  type LinkPair,
  loadBlocks,
  loadStoredLinks,
  removeLink,
} from "../store/links.ts";
import { placesOf } from "../store/ownership.ts";
import { block, unblock } from "./block.ts";
import { showHistory } from "./history.ts";
import {
  addressBookText,
  count,
  endOf,
  type LinkList,
  linkListJson,
  linkListText,
  loadLinkList,
} from "./list.ts";
import { type Answer, nameOf, type Office, refuseBlockedFan, told } from "./office.ts";
import type { LinksRequest, PlatformAccount } from "./request.ts";
import { transfer } from "./transfer.ts";

/** Throws a BadInputError when the request cannot be carried out; nothing is changed then. */
export async function administer(request: LinksRequest, office: Office): Promise<Answer> {
  switch (request.verb) {
    case "list":
      return showLinks(await loadLinkList(office.database, office.configPath), office.json);
    case "export":
      return exportLinks(await loadLinkList(office.database, office.configPath), request.file, office.json);
    case "add":
      return told(office, await add(request, office));
    case "remove":
      return told(office, await remove(request, office));
    case "import":
      return told(office, await importLinks(request.file, office));
    case "reinvite":
      return told(office, await reinvite(request, office));
    case "transfer":
      return told(office, await transfer(request, office));
    case "block":
      return told(office, await block(request, office));
    case "unblock":
      return told(office, await unblock(request, office));
    case "history":
      return showHistory(request.of, office);
  }
}

const showLinks = (list: LinkList, json: boolean): Answer =>
  json ? { text: linkListJson(list), warnings: [] } : { text: linkListText(list), warnings: list.warnings };

// ---- One link ---------------------------------------------------------------------------------------------------

async function add(link: LinkPair, { database, nowMs }: Office): Promise<readonly string[]> {
  return database.write((sql) => {
    refuseBlockedFan(sql, link.fan);
    const others = loadStoredLinks(sql).filter(({ account }) => account === link.account);
    const lifted = loadBlocks(sql).filter(blocks(link));
    addLink(sql, { ...link, source: "operator" }, nowMs);
    const known = others.some(({ fan }) => fan === link.fan);
    return [
      `${nameOf(link)} ${known ? "was linked already" : "is linked now"} to fan ${link.fan}. The next sync gives it what the fan is entitled to.`,
      ...lifted.map((block) => `It was ${endOf(block)}; that is lifted.`),
      ...others
        .filter(({ fan }) => fan !== link.fan)
        .map(({ fan }) => `It is linked to fan ${fan}, too: what either is entitled to counts.`),
    ];
  });
}

const blocks =
  (link: LinkPair) =>
  (block: Block): boolean =>
    block.account === undefined
      ? block.fan === link.fan
      : block.account === link.account && (block.fan === undefined || block.fan === link.fan);

async function remove(
  link: PlatformAccount & { readonly fan: FanId | undefined },
  { database, configPath, nowMs }: Office,
): Promise<readonly string[]> {
  const { links } = await loadLinkList(database, configPath);
  const isMeant = ({ account, fan }: LinkPair) =>
    account === link.account && (link.fan === undefined || fan === link.fan);
  const isLinked = links.some(isMeant);
  return database.write((sql) => {
    if (!isLinked && !isOnRecord(sql, link)) throw notLinked(link);
    removeLink(sql, link, "links remove", nowMs);
    const from = link.fan === undefined ? "all fans" : `fan ${link.fan}`;
    return [
      `${nameOf(link)} is unlinked from ${from} and blocked. An address book that still names it is overruled.`,
      "The next sync takes back the access that we gave it, unless another link of it stands; access that others gave is left alone.",
      `To undo this: npm run links -- add ${link.fan ?? "FAN"} ${link.account}`,
    ];
  });
}

/** Access that was given by a link that is gone can be taken back, too. */
const isOnRecord = (
  sql: Sql,
  { platform, account, fan }: PlatformAccount & { readonly fan: FanId | undefined },
) => fan === undefined && placesOf(sql, platform, account).length > 0;

const notLinked = (link: PlatformAccount & { readonly fan: FanId | undefined }): BadInputError =>
  new BadInputError(
    `${nameOf(link)} has no link${link.fan === undefined ? "" : ` to fan ${link.fan}`}.`,
    "npm run links -- list shows all links.",
  );

async function reinvite(account: PlatformAccount, { database, nowMs }: Office): Promise<readonly string[]> {
  const places = await database.write((sql) => inviteAgain(sql, account.platform, account.account, nowMs));
  const joining =
    account.platform === "discord"
      ? ["If it is gone from the server, auto-join may bring it in again, where the fan allowed that."]
      : [];
  if (places === 0)
    return [
      `${nameOf(account)} has left no place, and lost none by a person's hand, that we know of. There was nothing to forget.`,
      ...joining,
    ];
  return [
    `That ${nameOf(account)} left, refused or lost ${count(places, "place")} is forgotten. The next sync gives it again what it is entitled to.`,
    ...joining,
  ];
}

// ---- Files ------------------------------------------------------------------------------------------------------

async function importLinks(file: string, { database, nowMs }: Office): Promise<readonly string[]> {
  const links = loadLinksFile(file);
  return database.write((sql) => {
    const blocked = loadBlocks(sql);
    const known = new Set(loadStoredLinks(sql).map(({ fan, account }) => `${fan} ${account}`));
    const blockOf = (link: LinkPair) => blocked.find(blocks(link));
    const isNew = ({ fan, account }: LinkPair) => !known.has(`${fan} ${account}`);
    const open = links.filter((link) => blockOf(link) === undefined);
    const added = open.filter(isNew);
    for (const link of added) addLink(sql, { ...link, source: "operator" }, nowMs);
    const alreadyThere = open.length - added.length;
    return [
      `${count(added.length, "link")} imported from ${file}${alreadyThere === 0 ? "" : `; ${alreadyThere} stood there already`}.`,
      ...links.flatMap((link) => leftOut(link, blockOf(link)) ?? []),
    ];
  });
}

function leftOut(link: LinkPair, block: Block | undefined): string | undefined {
  if (block === undefined) return undefined;
  const lift = block.account === undefined ? `unblock ${link.fan}` : `add ${link.fan} ${link.account}`;
  return `Left out, since it was ${endOf(block)}: ${nameOf(link)}. To lift that: npm run links -- ${lift}`;
}

function exportLinks(list: LinkList, file: string | undefined, json: boolean): Answer {
  const text = addressBookText(list);
  const { warnings } = list;
  if (file === undefined) return { text, warnings };
  saveNewFile(file, text);
  const sentence = `${count(list.links.filter(({ missing }) => !missing).length, "link")} written to ${file}.`;
  return { ...told({ json }, [sentence]), warnings };
}

/** An address book is the operator's: nothing that is there already is written over. */
function saveNewFile(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: "wx", mode: 0o600 });
  } catch (error) {
    const fact = error instanceof Error ? error.message : String(error);
    throw new BadInputError(
      `${file} cannot be written: ${fact}.`,
      "Name a file that is not there yet.",
      error,
    );
  }
}
