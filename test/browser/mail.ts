/** The codes that fans read elsewhere: in their Fanvue inbox, and in a direct room on Matrix. */
import assert from "node:assert/strict";

import type { Installation, Person } from "../installation.ts";
import { textsFor } from "../sandbox/matrix-direct.ts";
import { eventually } from "./site.ts";

/** What was sent last to a fan by the creator, once there is something. */
export async function inboxCodeOf({ town }: Installation, { fan }: Person): Promise<string> {
  const sent = () => town.fanvue.world.messages.filter((message) => message.fan === fan.uuid);
  await eventually("a message on Fanvue", () => sent().length > 0);
  return codeIn(sent().at(-1)?.text ?? "");
}

/** What the bot wrote last to a Matrix account, in a room that its owner is asked into. */
export async function matrixCodeOf({ town }: Installation, { mxid }: Person): Promise<string> {
  const texts = () => textsFor(town.matrix.world, mxid);
  await eventually("a message on Matrix", () => texts().length > 0);
  return codeIn(texts().at(-1) ?? "");
}

function codeIn(text: string): string {
  const [code] = /\b[A-Z]{4}-[A-Z]{4}\b/.exec(text) ?? [];
  return code ?? assert.fail(`no code in: ${text}`);
}
