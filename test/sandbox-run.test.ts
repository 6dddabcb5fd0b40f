/** `npm run sandbox`: three services up, files that point at them, and a clean end. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";

import { parse } from "yaml";
import { z } from "zod";

const script = fileURLToPath(new URL("sandbox/run.ts", import.meta.url));

function temporaryFolder(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "fanvue-sandbox-"));
  test.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

function start(test: TestContext, folder: string) {
  const child = spawn(process.execPath, [script, folder], {
    env: { ...process.env, NODE_NO_WARNINGS: "1" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  test.after(() => child.kill("SIGKILL"));
  return child;
}

const configShape = z.looseObject({
  fanvue: z.looseObject({ api_url: z.url() }),
  discord: z.looseObject({ token: z.string(), guild_id: z.string(), api_url: z.url() }),
  matrix: z.looseObject({ homeserver: z.url(), user_id: z.string(), access_token: z.string() }),
});
const tokenShape = z.looseObject({ accessToken: z.string(), refreshToken: z.string() });

async function statusOf(url: string, authorization: string): Promise<number> {
  const headers = { authorization, "x-fanvue-api-version": "2025-06-26" };
  return (await fetch(url, { headers })).status;
}

it("writes an installation whose accounts the three services know, and ends on SIGTERM", async (test) => {
  const folder = temporaryFolder(test);
  const child = start(test, folder);
  for await (const line of createInterface(child.stdout)) if (line.startsWith("Ctrl-C")) break;

  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  const config = configShape.parse(parse(read("config.yaml")));
  const { accessToken } = tokenShape.parse(JSON.parse(read("fanvue-token.json")));
  assert.equal(statSync(join(folder, "fanvue-token.json")).mode & 0o777, 0o600);
  const { fanvue, discord, matrix } = config;
  assert.equal(await statusOf(`${fanvue.api_url}/v1/subscribers`, `Bearer ${accessToken}`), 200);
  const guild = `${discord.api_url}/v10/guilds/${discord.guild_id}`;
  assert.equal(await statusOf(guild, `Bot ${discord.token}`), 200);
  const whoami = `${matrix.homeserver}/_matrix/client/v3/account/whoami`;
  assert.equal(await statusOf(whoami, `Bearer ${matrix.access_token}`), 200);

  const book = z.record(z.uuid(), z.array(z.string())).parse(parse(read("discord_addressbook.yaml")));
  const [account] = Object.values(book)[0] ?? [];
  assert.equal(await statusOf(`${guild}/members/${account ?? ""}`, `Bot ${discord.token}`), 200);

  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
});

it("leaves a folder alone that holds somebody's own config", async (test) => {
  const folder = temporaryFolder(test);
  writeFileSync(join(folder, "config.yaml"), "fanvue: {}\n");
  const child = start(test, folder);
  assert.deepEqual(await once(child, "exit"), [2, null]);
  assert.equal(readFileSync(join(folder, "config.yaml"), "utf8"), "fanvue: {}\n");
  assert.ok(!existsSync(join(folder, "fanvue-token.json")));
});
