/** Compares our requests and the stand-in's answers with Discord's own description, where DISCORD_OPENAPI names it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { z } from "zod";
import {
  account,
  inTurn,
  openTarget,
  placeOf,
  serverWithFans,
  stepOf,
  vip,
} from "./sandbox/discord-setup.ts";
import type { DiscordSandbox } from "./sandbox/discord.ts";
import { addMember, addRole, roleIdAt, userIdAt } from "./sandbox/discord-world.ts";
import type { Recorded } from "./sandbox/server.ts";

const file = process.env["DISCORD_OPENAPI"];
const leftOut =
  file === undefined ? "left out: DISCORD_OPENAPI does not name Discord's interface description" : false;

// ---- The description --------------------------------------------------------------------------------------------

const parameterShape = z.object({
  name: z.string(),
  in: z.string(),
  required: z.boolean().optional(),
  schema: z.unknown(),
});
const answerShape = z.object({
  $ref: z.string().optional(),
  content: z.record(z.string(), z.object({ schema: z.unknown() })).optional(),
});
const operationShape = z.object({
  parameters: z.array(parameterShape).optional(),
  requestBody: z.unknown().optional(),
  responses: z.record(z.string(), answerShape),
});
const descriptionShape = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.object({
    schemas: z.record(z.string(), z.unknown()),
    responses: z.record(z.string(), answerShape),
  }),
});
type Description = z.infer<typeof descriptionShape>;

/** Zod looks for named schemas under $defs. */
function rename(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(rename);
  if (typeof node !== "object" || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === "$ref" && typeof value === "string"
        ? value.replace("#/components/schemas/", "#/$defs/")
        : rename(value),
    ]),
  );
}

/** The description wants a numeric code in every error; Discord names those of fields by words, and a 429 has none. */
const errorAsSent = {
  type: "object",
  properties: { code: { type: ["integer", "string"] }, message: { type: "string" } },
  required: ["message"],
};

function load(path: string): Description {
  const { paths, components } = descriptionShape.parse(JSON.parse(readFileSync(path, "utf8")));
  const schemas = z.record(z.string(), z.unknown()).parse(rename(components.schemas));
  return { paths, components: { ...components, schemas: { ...schemas, Error: errorAsSent } } };
}

function shapeOf({ components }: Description, schema: unknown): z.ZodType {
  const whole = { $defs: components.schemas, allOf: [rename(schema)] };
  return z.fromJSONSchema(whole as Parameters<typeof z.fromJSONSchema>[0]);
}

interface Operation {
  readonly parameters: readonly z.infer<typeof parameterShape>[];
  readonly takesBody: boolean;
  readonly responses: Readonly<Record<string, z.infer<typeof answerShape>>>;
}

/** A fixed path goes before one with a blank, as roles/member-counts does before roles/{role_id}. */
function operationOf({ paths }: Description, method: string, path: string): Operation {
  const found = Object.entries(paths)
    .filter(([template]) => new RegExp(`^${template.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path))
    .sort(([one], [other]) => one.split("{").length - other.split("{").length)[0];
  assert.ok(found !== undefined, `${path} is in the description`);
  const operation = found[1][method.toLowerCase()];
  assert.ok(operation !== undefined, `${method} ${path} is in the description`);
  const { parameters = [], requestBody, responses } = operationShape.parse(operation);
  const shared = z.array(parameterShape).parse(found[1]["parameters"] ?? []);
  return { parameters: [...shared, ...parameters], takesBody: requestBody !== undefined, responses };
}

const pathOf = (path: string) => decodeURIComponent(path).replace(/^\/api\/v10/, "");

// ---- Checks -----------------------------------------------------------------------------------------------------

function checkRequest(description: Description, request: Recorded): void {
  const path = pathOf(request.path);
  const { parameters, takesBody } = operationOf(description, request.method, path);
  const inQuery = new Map(parameters.filter((each) => each.in === "query").map((each) => [each.name, each]));
  for (const [name, value] of request.query) {
    const parameter = inQuery.get(name);
    assert.ok(parameter !== undefined, `${request.method} ${path} takes ${name}`);
    const plain = /^\d+$/.test(value) ? Number(value) : value;
    assert.ok(shapeOf(description, parameter.schema).safeParse(plain).success, `${name}=${value} at ${path}`);
  }
  for (const { name, required } of inQuery.values())
    assert.ok(required !== true || request.query.has(name), `${request.method} ${path} needs ${name}`);
  assert.equal(request.text === "", !takesBody);
}

async function checkAnswer(
  description: Description,
  { apiUrl, world }: DiscordSandbox,
  call: { readonly method: string; readonly path: string; readonly status: number; readonly token?: string },
): Promise<void> {
  const response = await fetch(`${apiUrl}/v10${call.path}`, {
    method: call.method,
    headers: { authorization: `Bot ${call.token ?? world.bot.token}` },
  });
  const text = await response.text();
  assert.equal(response.status, call.status, `${call.method} ${call.path}: ${text}`);
  const { responses } = operationOf(description, call.method, call.path.replace(/\?.*$/, ""));
  const described = responses[String(call.status)] ?? responses[`${String(call.status).slice(0, 1)}XX`];
  assert.ok(described !== undefined, `${call.method} ${call.path} may answer ${String(call.status)}`);
  const named = description.components.responses[described.$ref?.split("/").at(-1) ?? ""];
  const schema = (named ?? described).content?.["application/json"]?.schema;
  for (const name of ["limit", "remaining", "reset", "reset-after", "bucket"])
    assert.notEqual(response.headers.get(`x-ratelimit-${name}`), null);
  if (schema === undefined) {
    assert.equal(text, "");
    assert.equal(response.headers.get("content-type"), null);
    return;
  }
  const parsed = shapeOf(description, schema).safeParse(JSON.parse(text));
  assert.ok(
    parsed.success,
    parsed.success ? "" : `${call.method} ${call.path}: ${z.prettifyError(parsed.error)}`,
  );
}

async function populated(t: Parameters<typeof serverWithFans>[0]): Promise<DiscordSandbox> {
  const discord = await serverWithFans(t, 3);
  addRole(discord.world, {
    id: roleIdAt(5),
    name: "Boosters",
    managed: true,
    tags: { premium_subscriber: null },
  });
  addRole(discord.world, {
    id: roleIdAt(6),
    tags: { subscription_listing_id: "1", available_for_purchase: null },
  });
  addMember(discord.world, { id: userIdAt(40), bot: true, roles: [vip], premiumSinceMs: 1_750_000_000_000 });
  return discord;
}

// ---- Tests ------------------------------------------------------------------------------------------------------

describe("Discord's own description", { skip: leftOut }, () => {
  const description = file === undefined ? undefined : load(file);

  test("knows every request that we send", async (t) => {
    assert.ok(description !== undefined);
    const discord = await populated(t);
    const place = placeOf(vip);
    const target = openTarget(discord, [place]);
    await target.read([place], new Set([account(0)]));
    discord.world.intents.guildMembers = false;
    await target.read([place], new Set([account(0)]));
    const steps = [stepOf("grant", account(0)), stepOf("revoke", account(1)), stepOf("evict", account(2))];
    for await (const { result } of target.perform(inTurn(steps))) assert.equal(result, "done");
    for (const request of discord.requests) checkRequest(description, request);
    const kinds = new Set(
      discord.requests.map(({ method, path }) => `${method} ${pathOf(path).replaceAll(/\d{15,}/g, "ID")}`),
    );
    assert.equal(kinds.size, 9);
  });

  test("knows every answer of the stand-in", async (t) => {
    assert.ok(description !== undefined);
    const discord = await populated(t);
    const guild = `/guilds/${discord.world.guild.id}`;
    const member = `${guild}/members/${userIdAt(0)}`;
    const calls = [
      { method: "GET", path: "/users/@me", status: 200 },
      { method: "GET", path: "/users/@me", status: 401, token: "wrong" },
      { method: "GET", path: guild, status: 200 },
      { method: "GET", path: "/guilds/100000000000000009", status: 404 },
      { method: "GET", path: "/guilds/lounge", status: 400 },
      { method: "GET", path: `${guild}/roles`, status: 200 },
      { method: "GET", path: `${guild}/roles/member-counts`, status: 200 },
      { method: "GET", path: `${guild}/members`, status: 200 },
      { method: "GET", path: `${guild}/members?limit=1000&after=${userIdAt(0)}`, status: 200 },
      { method: "GET", path: `${guild}/members?limit=1001`, status: 400 },
      { method: "GET", path: member, status: 200 },
      { method: "GET", path: `${guild}/members/${userIdAt(99)}`, status: 404 },
      { method: "PUT", path: `${member}/roles/${vip}`, status: 204 },
      { method: "DELETE", path: `${member}/roles/${vip}`, status: 204 },
      { method: "PUT", path: `${member}/roles/${roleIdAt(99)}`, status: 404 },
      { method: "PUT", path: `${member}/roles/${roleIdAt(5)}`, status: 403 },
      { method: "DELETE", path: member, status: 204 },
      { method: "DELETE", path: member, status: 404 },
    ];
    for (const call of calls) await checkAnswer(description, discord, call);
    discord.world.intents.guildMembers = false;
    await checkAnswer(description, discord, { method: "GET", path: `${guild}/members`, status: 403 });
  });

  test("knows the answer to haste", async (t) => {
    assert.ok(description !== undefined);
    const discord = await populated(t);
    discord.world.limits.read = { limit: 1, windowMs: 60_000 };
    await checkAnswer(description, discord, { method: "GET", path: "/users/@me", status: 200 });
    await checkAnswer(description, discord, { method: "GET", path: "/users/@me", status: 429 });
  });
});
