import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import {
  CloseCodes,
  EntitlementType,
  Events,
  GatewayCloseCodes,
  GatewayDispatchEvents as Dispatch,
  GatewayIntentBits as Intent,
  GatewayOpcodes,
  InteractionResponseType,
  MessageFlags,
  Routes,
} from "discord.js";
import { WebSocket } from "ws";
import { z } from "zod";
import { botOf, botOnline, fan, type Heard, logIn, next } from "./sandbox/discord-bot.ts";
import { buy, deleteEntitlement, endEntitlement } from "./sandbox/discord-entitlements.ts";
import { addCommand, useCommand } from "./sandbox/discord-gateway-interactions.ts";
import { comeIn, leave, startBoosting, stopBoosting, writeToBot } from "./sandbox/discord-people.ts";
import { type DiscordSandbox, startDiscord } from "./sandbox/discord.ts";
import { addMember, type DiscordWorld, userIdAt } from "./sandbox/discord-world.ts";
import { loadDescription } from "./sandbox/openapi.ts";

const skuId = "700000000000000001";
const purchase = (world: DiscordWorld) => buy(world, { account: fan, skuId });
const boosterShape = z.object({ premium_since: z.string().nullable() });
const names = (heard: readonly Heard[]) => heard.map(({ event }) => event);
const opcodes = ({ gateway }: DiscordSandbox) =>
  gateway.received.map(({ op }) => op).filter((op) => op !== GatewayOpcodes.Heartbeat);

// ---- Talking to the gateway without a library -------------------------------------------------------------------

const properties = { os: "linux", browser: "test", device: "test" };
const identify = (more: object = {}) => ({
  op: GatewayOpcodes.Identify,
  d: { token: "sandbox-bot-token", intents: Intent.Guilds, properties, ...more },
});
const resume = (more: object) => ({
  op: GatewayOpcodes.Resume,
  d: { token: "sandbox-bot-token", session_id: "unknown", seq: 1, ...more },
});

const answerShape = z.object({ op: z.int(), d: z.unknown() });

/** Connects, sends one thing when the gateway has said hello, and gives what comes back. */
function ask({ world }: DiscordSandbox, sent: unknown) {
  const socket = new WebSocket(`${world.gatewayUrl}/?v=10&encoding=json`);
  const { promise, resolve } = Promise.withResolvers<{
    readonly socket: WebSocket;
    readonly answer: z.infer<typeof answerShape>;
  }>();
  socket.once("message", () => {
    socket.once("message", (data: Buffer) => {
      resolve({ socket, answer: answerShape.parse(JSON.parse(data.toString())) });
    });
    socket.send(JSON.stringify(sent));
  });
  return promise;
}

async function hangUp(socket: WebSocket, code: number): Promise<void> {
  socket.close(code);
  await once(socket, "close");
}

/** Connects, sends when the gateway has said hello, and gives the code with which it hangs up. */
function closeCode(
  { world }: DiscordSandbox,
  sent: readonly unknown[],
  query = "v=10&encoding=json",
): Promise<number> {
  const socket = new WebSocket(`${world.gatewayUrl}/?${query}`);
  socket.once("message", () => {
    for (const payload of sent) socket.send(JSON.stringify(payload));
  });
  const { promise, resolve } = Promise.withResolvers<number>();
  socket.once("close", resolve);
  return promise;
}

describe("the gateway", { concurrency: true, timeout: 10_000 }, () => {
  // ---- Events ---------------------------------------------------------------------------------------------------

  test("tells what happens on the server, in its order", async (t) => {
    const { discord, client, heard } = await botOnline(t);
    const { world } = discord;
    startBoosting(world, fan);
    stopBoosting(world, fan);
    leave(world, fan);
    comeIn(world, fan);
    const bought = purchase(world);
    endEntitlement(world, bought);
    writeToBot(world, fan, "STOP");
    deleteEntitlement(world, bought);
    await next(client, Events.EntitlementDelete);
    assert.deepEqual(names(heard), [
      Dispatch.GuildMemberUpdate,
      Dispatch.GuildMemberUpdate,
      Dispatch.GuildMemberRemove,
      Dispatch.GuildMemberAdd,
      Dispatch.EntitlementCreate,
      Dispatch.EntitlementUpdate,
      Dispatch.MessageCreate,
      Dispatch.EntitlementDelete,
    ]);
    const members = heard.slice(0, 2).map(({ data }) => boosterShape.parse(data));
    assert.deepEqual(
      members.map(({ premium_since: since }) => since !== null),
      [true, false],
    );
  });

  test("a direct message comes with its text, though no intent for message contents was asked for", async (t) => {
    const { discord, client } = await botOnline(t);
    writeToBot(discord.world, fan, "STOP");
    const [message] = await next(client, Events.MessageCreate);
    assert.equal(message.content, "STOP");
    assert.equal(message.author.id, fan);
    assert.equal(message.guildId, null);
  });

  test("an entitlement says whose it is and of which kind", async (t) => {
    const { discord, client } = await botOnline(t);
    buy(discord.world, { account: fan, skuId, type: EntitlementType.TestModePurchase });
    const [entitlement] = await next(client, Events.EntitlementCreate);
    assert.deepEqual(
      [entitlement.userId, entitlement.skuId, entitlement.type, entitlement.endsAt],
      [fan, skuId, EntitlementType.TestModePurchase, null],
    );
  });

  test("who did not ask for members and messages hears of entitlements only", async (t) => {
    const { discord, client, heard } = await botOnline(t, { intents: [Intent.Guilds] });
    startBoosting(discord.world, fan);
    writeToBot(discord.world, fan, "hello");
    purchase(discord.world);
    await next(client, Events.EntitlementCreate);
    assert.deepEqual(names(heard), [Dispatch.EntitlementCreate]);
  });

  test("lists no member but the bot at the start, and all of them on request", async (t) => {
    const { discord, client } = await botOnline(t, {
      prepare: ({ world }) => {
        for (let index = 1; index < 1500; index += 1) addMember(world, { id: userIdAt(index) });
      },
    });
    const guild = client.guilds.cache.get(discord.world.guild.id);
    assert.ok(guild !== undefined);
    assert.deepEqual([guild.large, guild.memberCount], [true, 1502]);
    assert.deepEqual([...guild.members.cache.keys()], [discord.world.bot.id]);
    const single = await guild.members.fetch({ user: [fan, userIdAt(5000)] });
    assert.deepEqual([...single.keys()], [fan]);
    const all = await guild.members.fetch();
    assert.equal(all.size, 1502);
  });

  // ---- Lost connections -----------------------------------------------------------------------------------------

  const losses: readonly (readonly [string, (discord: DiscordSandbox) => void])[] = [
    [
      "a connection that breaks",
      ({ gateway }) => {
        gateway.drop();
      },
    ],
    [
      "a connection that Discord ends",
      ({ gateway }) => {
        gateway.drop(GatewayCloseCodes.UnknownError);
      },
    ],
    [
      "Discord's wish to connect anew",
      ({ gateway }) => {
        gateway.askToReconnect();
      },
    ],
  ];
  for (const [loss, lose] of losses)
    test(`${loss} loses no event, and repeats none`, async (t) => {
      const { discord, client, heard } = await botOnline(t);
      const bought = [purchase(discord.world).id];
      await next(client, Events.EntitlementCreate);
      lose(discord);
      await next(client, Events.ShardReconnecting);
      bought.push(purchase(discord.world).id, purchase(discord.world).id);
      await next(client, Events.ShardResume);
      bought.push(purchase(discord.world).id);
      await next(client, Events.EntitlementCreate);
      assert.deepEqual(
        heard.map(({ data }) => z.object({ id: z.string() }).parse(data).id),
        bought,
      );
      assert.deepEqual(opcodes(discord), [GatewayOpcodes.Identify, GatewayOpcodes.Resume]);
    });

  test("a connection that died without a sign is noticed by its silence", async (t) => {
    const { discord, client } = await botOnline(t, {
      prepare: ({ gateway }) => {
        gateway.heartbeatIntervalMs = 250;
      },
    });
    discord.gateway.acknowledgesHeartbeats = false;
    await next(client, Events.ShardReconnecting);
    discord.gateway.acknowledgesHeartbeats = true;
    await next(client, Events.ShardResume);
    assert.deepEqual(opcodes(discord), [GatewayOpcodes.Identify, GatewayOpcodes.Resume]);
  });

  test("a session that was away for too long begins anew", async (t) => {
    const { discord, client, heard } = await botOnline(t);
    discord.gateway.forgetSessions();
    discord.gateway.drop();
    await next(client, Events.ShardReconnecting);
    purchase(discord.world);
    await next(client, Events.ShardReady);
    assert.deepEqual(names(heard), []);
    assert.deepEqual(opcodes(discord), [
      GatewayOpcodes.Identify,
      GatewayOpcodes.Resume,
      GatewayOpcodes.Identify,
    ]);
    purchase(discord.world);
    await next(client, Events.EntitlementCreate);
  });

  test("whoever is cut off may resume, whoever says goodbye may not", async (t) => {
    const discord = await startDiscord();
    t.after(() => discord.stop());
    const afterwards = async (closedWith: number) => {
      const first = await ask(discord, identify());
      const { session_id: id } = z.object({ session_id: z.string() }).parse(first.answer.d);
      await hangUp(first.socket, closedWith);
      const second = await ask(discord, resume({ session_id: id, seq: 1 }));
      await hangUp(second.socket, 1000);
      return second.answer.op;
    };
    assert.equal(await afterwards(CloseCodes.Resuming), GatewayOpcodes.Dispatch);
    assert.equal(await afterwards(CloseCodes.Normal), GatewayOpcodes.InvalidSession);
  });

  test("a bot that goes has no connection left", async (t) => {
    const { discord, client } = await botOnline(t);
    await discord.gateway.whenConnected();
    assert.equal(discord.gateway.connected(), 1);
    await client.destroy();
    assert.equal(discord.gateway.connected(), 0);
  });

  // ---- Refusals -------------------------------------------------------------------------------------------------

  test("a bot without the privileged intent is told so at its login", async (t) => {
    const discord = await startDiscord();
    const client = botOf(discord);
    t.after(async () => {
      await client.destroy();
      await discord.stop();
    });
    discord.world.intents.guildMembers = false;
    const codes: number[] = [];
    client.on(Events.ShardDisconnect, ({ code }) => codes.push(code));
    await assert.rejects(logIn(discord, client), { message: "Used disallowed intents" });
    assert.deepEqual(codes, [GatewayCloseCodes.DisallowedIntents]);
  });

  const hangUps: readonly (readonly [string, keyof typeof GatewayCloseCodes, readonly unknown[]])[] = [
    ["comes with another's token", "AuthenticationFailed", [identify({ token: "stolen" })]],
    ["resumes with another's token", "AuthenticationFailed", [resume({ token: "stolen" })]],
    ["asks for an intent that does not exist", "InvalidIntents", [identify({ intents: 2 ** 30 })]],
    ["asks for message contents", "DisallowedIntents", [identify({ intents: Intent.MessageContent })]],
    ["is a shard beyond their number", "InvalidShard", [identify({ shard: [1, 1] })]],
    ["identifies twice", "AlreadyAuthenticated", [identify(), identify()]],
    ["asks before it identifies", "NotAuthenticated", [{ op: 8, d: { guild_id: "1", query: "", limit: 0 } }]],
    ["sends an unknown opcode", "UnknownOpcode", [{ op: 99 }]],
    ["sends what is no JSON object", "DecodeError", ["hello"]],
    ["leaves out what is needed", "DecodeError", [{ op: GatewayOpcodes.Identify, d: {} }]],
    ["sends more than 4096 bytes", "DecodeError", [identify({ token: "x".repeat(4096) })]],
  ];
  test("hangs up on whoever breaks its rules, each with the code for it", async (t) => {
    const discord = await startDiscord();
    t.after(() => discord.stop());
    for (const [who, code, sent] of hangUps)
      assert.equal(await closeCode(discord, sent), GatewayCloseCodes[code], `whoever ${who}`);
    assert.equal(await closeCode(discord, [], "v=9&encoding=json"), GatewayCloseCodes.InvalidAPIVersion);
  });

  test("the end of the stand-in ends its connections", async () => {
    const discord = await startDiscord();
    const ended = closeCode(discord, [identify()]);
    await discord.gateway.whenConnected();
    await discord.stop();
    assert.equal(await ended, 1006);
  });

  // ---- Commands -------------------------------------------------------------------------------------------------

  test("whoever uses a command gets the bot's answer, at once or thought over", async (t) => {
    const { discord, client } = await botOnline(t, {
      prepare: ({ world }) => {
        addCommand(world, "link");
        addCommand(world, "membership");
      },
    });
    client.on(Events.InteractionCreate, (interaction) => {
      if (!interaction.isChatInputCommand()) return;
      const answering =
        interaction.commandName === "link"
          ? interaction.reply(`Link here, ${interaction.user.username}`)
          : interaction
              .deferReply({ flags: MessageFlags.Ephemeral })
              .then(() => interaction.editReply("You have VIP"));
      answering.catch(assert.ifError);
    });
    const [link, membership] = await Promise.all([
      useCommand(discord.world, fan, "link"),
      useCommand(discord.world, fan, "membership"),
    ]);
    assert.deepEqual([link.text, link.isEphemeral], ["Link here, fan", false]);
    assert.deepEqual([membership.text, membership.isEphemeral], ["You have VIP", true]);
  });

  test("a command is answered once, by whoever holds its token", async (t) => {
    const { discord, client } = await botOnline(t, {
      prepare: ({ world }) => {
        addCommand(world, "link");
      },
    });
    const answered = useCommand(discord.world, fan, "link");
    const [interaction] = await next(client, Events.InteractionCreate);
    assert.ok(interaction.isChatInputCommand());
    const stranger = `/interactions/${interaction.id}/guessed/callback` as const;
    const body = { type: 4, data: { content: "hello" } };
    await assert.rejects(client.rest.post(stranger, { body, auth: false }), { code: 10062 });
    const response = await interaction.reply({ content: "first", withResponse: true });
    assert.equal(response.resource?.message?.content, "first");
    const own = `/interactions/${interaction.id}/${interaction.token}/callback` as const;
    await assert.rejects(client.rest.post(own, { body, auth: false }), { code: 40060 });
    assert.equal((await answered).text, "first");
  });

  test("a command that nobody registered cannot be used", async (t) => {
    const { discord } = await botOnline(t);
    await assert.rejects(
      async () => useCommand(discord.world, fan, "link"),
      /no command \/link is registered/,
    );
  });
});

// ---- Discord's description --------------------------------------------------------------------------------------

const descriptionFile = process.env["DISCORD_OPENAPI"];

test(
  "what the gateway tells is what Discord's description says of the same things",
  {
    skip:
      descriptionFile === undefined
        ? "left out: DISCORD_OPENAPI does not name Discord's interface description"
        : false,
  },
  async (t) => {
    assert.ok(descriptionFile !== undefined);
    const description = loadDescription(descriptionFile);
    const { discord, client, heard } = await botOnline(t, {
      prepare: ({ world }) => {
        addCommand(world, "link");
      },
    });
    const { world } = discord;
    startBoosting(world, fan);
    purchase(world);
    writeToBot(world, fan, "hello");
    await next(client, Events.MessageCreate);
    const [member, entitlement, message] = heard.map(({ data }) => data);
    const answering = useCommand(world, fan, "link");
    const [interaction] = await next(client, Events.InteractionCreate);
    assert.ok(interaction.isChatInputCommand());
    const callback = await client.rest.post(Routes.interactionCallback(interaction.id, interaction.token), {
      body: { type: InteractionResponseType.DeferredChannelMessageWithSource },
      query: new URLSearchParams({ with_response: "true" }),
      auth: false,
    });
    const original = Routes.webhookMessage(interaction.applicationId, interaction.token);
    const edited = await client.rest.patch(original, { body: { content: "here" }, auth: false });
    await answering;
    const described: readonly (readonly [string, unknown])[] = [
      ["GET /guilds/{guild_id}/members/{user_id}", member],
      ["GET /applications/{application_id}/entitlements/{entitlement_id}", entitlement],
      ["POST /channels/{channel_id}/messages", message],
      ["POST /interactions/{interaction_id}/{interaction_token}/callback", callback],
      ["PATCH /webhooks/{webhook_id}/{webhook_token}/messages/@original", edited],
    ];
    for (const [operation, told] of described)
      assert.deepEqual(description.complaints(operation, 200, told), [], operation);
  },
);
