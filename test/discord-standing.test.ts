import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { PermissionFlagsBits } from "discord-api-types/v10";
import {
  accountOf,
  give,
  openTarget,
  placeOf,
  readable,
  readOne,
  serverWithFans,
  unreadable,
  vip,
} from "./sandbox/discord-setup.ts";
import type { DiscordSandbox } from "./sandbox/discord.ts";
import { addMember, addRole, roleIdAt, userIdAt } from "./sandbox/discord-world.ts";

const place = placeOf(vip);

describe("who may not be touched", () => {
  const mod = roleIdAt(20);
  const untouchableBy = async (
    t: Parameters<typeof serverWithFans>[0],
    arrange: (discord: DiscordSandbox) => string,
    options: Parameters<typeof readOne>[3] = {},
  ) => {
    const discord = await serverWithFans(t, 3);
    const id = arrange(discord);
    discord.world.members.get(id)?.roles.add(vip);
    const standing = readable(await readOne(discord, place, [], options)).members.get(accountOf(id));
    assert.ok(standing?.is === "in");
    return standing.untouchable;
  };
  const withMod =
    (permissions: bigint, position = 20) =>
    (discord: DiscordSandbox) => {
      addRole(discord.world, { id: mod, name: "Mods", position, permissions });
      give(discord, 0, mod);
      return userIdAt(0);
    };

  test("a plain holder may be", async (t) => {
    assert.equal(await untouchableBy(t, () => userIdAt(0)), undefined);
  });
  test("the owner", async (t) => {
    assert.equal(await untouchableBy(t, ({ world }) => world.guild.ownerId), "owns the server");
  });
  test("the bot itself", async (t) => {
    assert.equal(await untouchableBy(t, ({ world }) => world.bot.id), "is this bot itself");
  });
  test("another bot", async (t) => {
    const reason = await untouchableBy(
      t,
      ({ world }) => addMember(world, { id: userIdAt(50), bot: true }).user.id,
    );
    assert.equal(reason, "is a bot");
  });
  const staff = [
    "Administrator",
    "KickMembers",
    "BanMembers",
    "ManageMessages",
    "ManageGuild",
    "ManageRoles",
  ] as const;
  for (const name of staff) {
    test(`whoever has ${name} by a role of its own`, async (t) => {
      assert.equal(await untouchableBy(t, withMod(PermissionFlagsBits[name])), 'is staff by the role "Mods"');
    });
  }
  test("not who merely has a role to speak with", async (t) => {
    assert.equal(await untouchableBy(t, withMod(PermissionFlagsBits.SendMessages)), undefined);
  });
  test("not who has Manage Messages by a configured place", async (t) => {
    const reason = await untouchableBy(t, (discord) => {
      const role = discord.world.roles.get(vip);
      if (role !== undefined) role.permissions = PermissionFlagsBits.ManageMessages;
      return userIdAt(0);
    });
    assert.equal(reason, undefined);
  });
  test("not who has Manage Messages by a role that comes with joining alone", async (t) => {
    const withJoin = [place, { ...placeOf(mod), onlyOnJoin: true as const }];
    const reason = await untouchableBy(t, withMod(PermissionFlagsBits.ManageMessages), { places: withJoin });
    assert.equal(reason, undefined);
  });
  test("not who is in timeout", async (t) => {
    const reason = await untouchableBy(t, (discord) => {
      const communication_disabled_until = "2099-01-01T00:00:00.000000+00:00";
      const edit = (body: unknown) =>
        (body as readonly object[]).map((row) => ({ ...row, communication_disabled_until }));
      discord.faults.push({ path: /\/members$/, fault: { kind: "edit", edit } });
      return userIdAt(0);
    });
    assert.equal(reason, undefined);
  });
  test("whoever shares the bot's highest role", async (t) => {
    const reason = await untouchableBy(t, (discord) => {
      addRole(discord.world, { id: mod, name: "Crew", position: 60 });
      discord.world.members.get(discord.world.bot.id)?.roles.add(mod);
      give(discord, 0, mod);
      return userIdAt(0);
    });
    assert.equal(reason, 'ranks as high as the bot by the role "Crew"');
  });
  test("whoever ranks above the bot", async (t) => {
    assert.equal(await untouchableBy(t, withMod(0n, 51)), 'ranks as high as the bot by the role "Mods"');
  });
  test("whoever ranks as the bot does, by an older role at the same position", async (t) => {
    const reason = await untouchableBy(t, (discord) => {
      addRole(discord.world, { id: "125000000000000001", name: "Elders", position: 50 });
      give(discord, 0, "125000000000000001");
      return userIdAt(0);
    });
    assert.equal(reason, 'ranks as high as the bot by the role "Elders"');
  });
  test("not who has a newer role at the bot's position", async (t) => {
    assert.equal(await untouchableBy(t, withMod(0n, 50)), undefined);
  });
  test("whoever has a role that is not in the list of roles", async (t) => {
    const reason = await untouchableBy(t, (discord) => {
      give(discord, 0, roleIdAt(77));
      return userIdAt(0);
    });
    assert.equal(reason, "has a role that Discord did not list");
  });
  test("a booster where boosters are protected, and only there", async (t) => {
    const boost = ({ world }: DiscordSandbox) =>
      addMember(world, { id: userIdAt(60), premiumSinceMs: Date.UTC(2026, 1, 1) }).user.id;
    assert.equal(await untouchableBy(t, boost, { protectBoosters: true }), "boosts the server");
    assert.equal(await untouchableBy(t, boost, { protectBoosters: false }), undefined);
  });
});

describe("a role that the bot cannot manage is told with its remedy, and the others go on", () => {
  const cases: readonly {
    readonly name: string;
    readonly arrange: (discord: DiscordSandbox) => string;
    readonly because: RegExp;
    readonly remedy: RegExp;
  }[] = [
    {
      name: "a deleted role",
      arrange: () => roleIdAt(9),
      because: /no role .*deleted/,
      remedy: /existing role/,
    },
    {
      name: "@everyone",
      arrange: ({ world }) => world.guild.id,
      because: /@everyone/,
      remedy: /role of its own/,
    },
    {
      name: "something that is no id",
      arrange: () => "VIP",
      because: /"VIP" is no role id/,
      remedy: /copy its id/,
    },
    ...(["bot_id", "integration_id", "subscription_listing_id"] as const).map((tag) => ({
      name: `a role with the tag ${tag}`,
      arrange: ({ world }: DiscordSandbox) => addRole(world, { id: roleIdAt(9), tags: { [tag]: "1" } }).id,
      because: /only Discord hands it out/,
      remedy: /plain role/,
    })),
    ...(["premium_subscriber", "guild_connections"] as const).map((tag) => ({
      name: `a role with the tag ${tag}`,
      arrange: ({ world }: DiscordSandbox) => addRole(world, { id: roleIdAt(9), tags: { [tag]: null } }).id,
      because: /only Discord hands it out/,
      remedy: /plain role/,
    })),
    {
      name: "a managed role",
      arrange: ({ world }) => addRole(world, { id: roleIdAt(9), managed: true }).id,
      because: /only Discord hands it out/,
      remedy: /plain role/,
    },
    {
      name: "a role above the bot's",
      arrange: ({ world }) => addRole(world, { id: roleIdAt(9), name: "High", position: 51 }).id,
      because: /"High" is not below the bot's highest role/,
      remedy: /Drag the bot's role above "High"/,
    },
    {
      name: "an older role at the bot's position",
      arrange: ({ world }) => addRole(world, { id: "125000000000000001", position: 50 }).id,
      because: /not below the bot's highest role/,
      remedy: /Drag/,
    },
  ];
  for (const { name, arrange, because, remedy } of cases) {
    test(name, async (t) => {
      const discord = await serverWithFans(t, 1);
      const places = [placeOf(arrange(discord)), place] as const;
      const states = await openTarget(discord, places).read(places, new Set());
      const [bad, good] = places.map((each) => states.get(each));
      assert.ok(bad !== undefined && good !== undefined);
      assert.match(unreadable(bad).because, because);
      assert.match(unreadable(bad).remedy, remedy);
      assert.equal(readable(good).name, "VIP");
    });
  }

  test("a role that carries power is told with each power once, and can be managed", async (t) => {
    const discord = await serverWithFans(t, 1);
    const role = discord.world.roles.get(vip);
    assert.ok(role !== undefined);
    const { ManageGuildExpressions, BanMembers, SendMessages } = PermissionFlagsBits;
    role.permissions = ManageGuildExpressions | BanMembers | SendMessages;
    assert.deepEqual(readable(await readOne(discord, place)).warnings, [
      'The role "VIP" carries Ban Members, Manage Guild Expressions, and whoever is given it has that power. ' +
        "Switch it off for this role in Server Settings, Roles.",
    ]);
  });

  const botRole = ({ world }: DiscordSandbox) => {
    const role = [...world.roles.values()].find(({ tags }) => tags.bot_id === world.bot.id);
    assert.ok(role !== undefined);
    return role;
  };
  test("any role, where the bot lacks Manage Roles", async (t) => {
    const discord = await serverWithFans(t, 1);
    botRole(discord).permissions = PermissionFlagsBits.KickMembers;
    assert.match(unreadable(await readOne(discord, place)).remedy, /Manage Roles/);
  });
  test("a role with kick as expiry, where the bot lacks Kick Members", async (t) => {
    const discord = await serverWithFans(t, 1);
    botRole(discord).permissions = PermissionFlagsBits.ManageRoles;
    assert.equal(readable(await readOne(discord, place)).name, "VIP");
    assert.match(unreadable(await readOne(discord, placeOf(vip, "evict"))).because, /Kick Members/);
  });
  test("none, where the bot is an administrator or @everyone may do it", async (t) => {
    const discord = await serverWithFans(t, 1);
    botRole(discord).permissions = PermissionFlagsBits.Administrator;
    assert.equal(readable(await readOne(discord, placeOf(vip, "evict"))).name, "VIP");
    botRole(discord).permissions = 0n;
    const everyone = discord.world.roles.get(discord.world.guild.id);
    if (everyone !== undefined) everyone.permissions = PermissionFlagsBits.ManageRoles;
    assert.equal(readable(await readOne(discord, place)).name, "VIP");
  });
});
