/** The endpoints of chats: opening one, writing to a fan, reading what the fan wrote. */
import { z } from "zod";

import type { Endpoint } from "./fanvue-api.ts";
import { BadRequest, listBody, pathUuid } from "./fanvue-pages.ts";
import { notFound } from "./fanvue-reads.ts";
import type { FanvueWorld, SandboxFan, SandboxMessage } from "./fanvue-world.ts";

const newChat = z.object({ userUuid: z.string() });
const newMessage = z.object({
  text: z.string().min(1).max(5000).nullish(),
  mediaUuids: z.array(z.uuid()).default([]),
  price: z.number().min(300).nullish(),
  templateUuid: z.uuid().nullish(),
});

function messageRow(world: FanvueWorld, message: SandboxMessage) {
  const fan = { uuid: message.fan, handle: world.fans.get(message.fan)?.handle ?? "gone" };
  const creator = { uuid: world.creator.uuid, handle: world.creator.handle };
  const isOurs = message.from === "creator";
  return {
    uuid: message.uuid,
    text: message.text,
    sentAt: new Date(message.sentAtMs).toISOString(),
    sender: isOurs ? creator : fan,
    recipient: isOurs ? fan : creator,
    hasMedia: null,
    mediaType: null,
    mediaUuids: [],
    type: "SINGLE_RECIPIENT",
    pricing: message.priceCents === null ? null : { USD: { price: message.priceCents } },
    purchasedAt: null,
    sentByUserId: null,
    isRead: message.isRead,
  };
}

export function chatEndpoints(world: FanvueWorld): Endpoint[] {
  function contactable(uuid: string): SandboxFan {
    const fan = world.fans.get(uuid);
    if (fan?.contactable !== true) throw new BadRequest({ message: "You cannot message this user" });
    return fan;
  }

  const opened = new Set<string>();
  const hasChat = (uuid: string) => opened.has(uuid) || world.messages.some(({ fan }) => fan === uuid);

  return [
    {
      on: "POST /chats",
      scopes: ["write:chat"],
      answer({ request }) {
        const body = newChat.safeParse(request.json);
        if (!body.success) throw new BadRequest({ errors: ["userUuid must be a UUID"] });
        opened.add(contactable(pathUuid(body.data.userUuid)).uuid);
        return { status: 201, body: { message: "Chat created" } };
      },
    },
    {
      on: "POST /chats/:fan/message",
      scopes: ["write:chat"],
      answer({ request, parameters }) {
        const uuid = pathUuid(parameters[0]);
        const body = newMessage.safeParse(request.json);
        if (!body.success) throw new BadRequest({ message: "The message is not valid" });
        const { text, mediaUuids, price, templateUuid } = body.data;
        const isEmpty = (text ?? templateUuid ?? undefined) === undefined && mediaUuids.length === 0;
        if (isEmpty) throw new BadRequest({ message: "Message must have text or media" });
        const fan = contactable(uuid);
        if (!hasChat(uuid)) return notFound("Chat not found");
        const sent = world.sendToFan(fan, text ?? null, price ?? null);
        return { status: 201, body: { messageUuid: sent.uuid } };
      },
    },
    {
      on: "GET /chats/:fan/messages",
      only: "unprefixed",
      scopes: ["read:chat"],
      answer({ request, generation, parameters }) {
        const uuid = pathUuid(parameters[0]);
        if (!world.fans.has(uuid)) return notFound("Chat not found");
        const messages = world.messages.filter((message) => message.fan === uuid);
        const newestFirst = messages
          .map((item, index) => ({ at: index, id: item.uuid, item }))
          .sort((a, b) => b.at - a.at);
        const body = listBody(
          request,
          generation,
          () => newestFirst,
          (message) => messageRow(world, message),
        );
        if (request.query.get("markAsRead") !== "false")
          for (const message of messages) if (message.from === "fan") message.isRead = true;
        return { status: 200, body };
      },
    },
  ];
}
