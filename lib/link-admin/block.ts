/** Accounts and fans that shall have no links. */
import { BadInputError } from "../errors.ts";
import type { FanId } from "../ids.ts";
import { blockFan, isBlockedByOperator, removeLink, unblock as liftBlocks } from "../store/links.ts";
import { nameOf, type Office } from "./office.ts";
import type { Blockable } from "./request.ts";

const takenBack =
  "The next sync takes back the access that we gave, unless another link stands; access that others gave is left alone.";

/** Blocks an account or a fan; what its links gave is taken back. Says so. */
export async function block(of: Blockable, { database, nowMs }: Office): Promise<readonly string[]> {
  if (of.account === undefined) {
    const pairs = await database.write((sql) => blockFan(sql, of.fan, nowMs));
    return [
      `Fan ${of.fan} is blocked: they can link nothing, and an address book that names them is overruled.`,
      ...(pairs.length === 0 ? [] : [`Cut: ${pairs.map(nameOf).join(", ")}.`, takenBack]),
      `To undo this: npm run links -- unblock ${of.fan}`,
    ];
  }
  await database.write((sql) => {
    removeLink(sql, of, "links block", nowMs);
  });
  return [
    `${nameOf(of)} is blocked for ${whom(of)}: nobody can prove such a link, and an address book that names it is overruled.`,
    takenBack,
    `To undo this: npm run links -- unblock ${of.account}${of.fan === undefined ? "" : ` --fan ${of.fan}`}`,
  ];
}

/** Lifts blocks, and says what that does and does not change. Throws a BadInputError where there are none. */
export async function unblock(of: Blockable, { database, nowMs }: Office): Promise<readonly string[]> {
  const { account, fan } = of;
  const name = account === undefined ? `Fan ${of.fan}` : `${nameOf(of)}, for ${whom(of)},`;
  return database.write((sql) => {
    const { lifted, toTakeBack } = liftBlocks(sql, of, nowMs);
    if (lifted === 0) {
      throw new BadInputError(`${name} is not blocked.`, "npm run links -- list shows what is blocked.");
    }
    const isStill = account !== undefined && fan !== undefined && isBlockedByOperator(sql, { account, fan });
    return [
      `${name} is no longer blocked. What an address book says of it counts again, except what a fan unlinked; and fans may prove their links anew.`,
      ...(isStill ? ["But the account or the fan as a whole still is."] : []),
      ...(toTakeBack > 0 ? ["What the link gave and no sync has taken back yet is still taken back."] : []),
      "No link was entered by this. To enter one: npm run links -- add FAN ACCOUNT",
    ];
  });
}

const whom = ({ fan }: { readonly fan: FanId | undefined }): string =>
  fan === undefined ? "all fans" : `fan ${fan}`;
