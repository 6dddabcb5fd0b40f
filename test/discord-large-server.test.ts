/** A server of fifty thousand: how many requests a reading sends, and that time and memory stay within reason. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import pino from "pino";
import type { DiscordConfig } from "../lib/config/shape.ts";
import { readPlaces } from "../lib/discord/read.ts";
import type { DiscordRest } from "../lib/discord/rest.ts";
import { verifySteps } from "../lib/discord/verify.ts";
import { parseGuildId } from "../lib/ids.ts";
import { account, placeOf, range, readable, stepOf, heldSince } from "./sandbox/discord-setup.ts";
import { roleIdAt, userIdAt } from "./sandbox/discord-world.ts";

const memberCount = 50_000;
const roleCount = 25;
const linkedCount = 10_000;
const guildId = "100000000000000001";
const botId = "120000000000000001";
const botRoleId = "130000000000000001";

const roleIds = range(roleCount).map(roleIdAt);
const roles = [
  { id: guildId, name: "@everyone", position: 0, permissions: "0" },
  { id: botRoleId, name: "bot", position: 50, permissions: "8", managed: true, tags: { bot_id: botId } },
  ...roleIds.map((id) => ({ id, name: `role ${id}`, position: 1, permissions: "0" })),
];
/** Every fan has three of the roles, each role three fans in 25. */
const rolesOf = (index: number) => [0, 1, 2].map((more) => roleIdAt((index + more) % roleCount));

/** Discord in memory, which makes its rows anew for each request as if they came over the line. */
function discordInMemory(): DiscordRest & { readonly sent: string[] } {
  const sent: string[] = [];
  const rowOf = (index: number) =>
    index < 0
      ? { user: { id: botId, bot: true }, roles: [botRoleId] }
      : { user: { id: userIdAt(index), username: `fan ${index}` }, roles: rolesOf(index), nick: null };
  function page(after: bigint): unknown {
    const first = after === 0n ? -1 : Number(after - BigInt(userIdAt(0))) + 1;
    return range(Math.min(1000, memberCount - first)).map((offset) => rowOf(first + offset));
  }
  function answer(route: string, query: Readonly<Record<string, string>>): unknown {
    if (route.startsWith("/users/")) return { id: botId };
    if (route.endsWith("/roles")) return roles;
    if (route.endsWith("/member-counts"))
      return Object.fromEntries(roleIds.map((id) => [id, (memberCount * 3) / roleCount]));
    if (route.endsWith("/members")) return page(BigInt(query["after"] ?? "0"));
    const member = /\/members\/(\d+)$/.exec(route)?.[1];
    if (member !== undefined) return rowOf(Number(BigInt(member) - BigInt(userIdAt(0))));
    return { id: guildId, name: "Velvet Lounge", owner_id: "110000000000000001" };
  }
  const refuse = () => Promise.reject(new Error("a reading writes nothing"));
  return {
    sent,
    get(route, query = {}) {
      sent.push(route);
      return Promise.resolve({ is: "answer", status: 200, body: answer(route, query) });
    },
    post: () => Promise.reject(new Error("nothing is posted here")),
    put: refuse,
    delete: refuse,
    requests: () => sent.length,
    clockSkewMs: () => 0,
  };
}

function configOf(): DiscordConfig {
  const id = parseGuildId(guildId);
  assert.ok(id !== undefined);
  return {
    token: "",
    guildId: id,
    apiUrl: "",
    protectBoosters: false,
    oauth: undefined,
    places: roleIds.map((roleId) => placeOf(roleId)),
    autoJoin: { enabled: false, roles: [] },
  };
}

function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc()");
  return process.memoryUsage().heapUsed;
}

test("fifty thousand members in 25 roles: a page per thousand, two seconds and little memory", async () => {
  const rest = discordInMemory();
  const config = configOf();
  const { places } = config;
  const linked = new Set(range(linkedCount).map(account));
  const onRecord = new Map(
    places.map((place, role) => [
      place,
      heldSince([...linked].filter((_, index) => rolesOf(index).includes(roleIdAt(role)))),
    ]),
  );
  const log = pino({ level: "silent" });
  const bytesBefore = heapBytes();
  const cpuBefore = process.cpuUsage();
  const reading = await readPlaces({ rest, config, places, linked, onRecord, log });
  const { user: busyUs } = process.cpuUsage(cpuBefore);
  const heldBytes = heapBytes() - bytesBefore;

  const pages = memberCount / 1000 + 1;
  assert.equal(rest.sent.filter((route) => route.endsWith("/members")).length, pages);
  assert.equal(rest.sent.length, pages + 4, rest.sent.slice(-5).join(" "));
  assert.equal(reading.states.size, roleCount);
  for (const state of reading.states.values()) {
    const standings = [...readable(state).members.values()];
    assert.equal(standings.filter(({ is }) => is === "in").length, (memberCount * 3) / roleCount);
  }
  assert.ok(busyUs < 2e6, `took ${busyUs / 1000} ms of the processor`);
  assert.ok(heldBytes < 150e6, `holds ${heldBytes} bytes`);

  rest.sent.splice(0);
  const many = range(500).map((index) => stepOf("grant", account(index * 90), rolesOf(index * 90)[0]));
  assert.equal((await verifySteps(rest, reading.seen, many)).size, 0);
  assert.equal(rest.sent.length, pages);
  rest.sent.splice(0);
  assert.equal((await verifySteps(rest, reading.seen, many.slice(0, pages))).size, 0);
  assert.ok(rest.sent.every((route) => /\/members\/\d+$/.test(route)));
  assert.equal(rest.sent.length, pages);
});
