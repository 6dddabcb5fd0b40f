/** The link site for tests in a browser: the real script in a whole installation, and visitors who come to it. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

import { openDatabase } from "../../lib/db.ts";
import { inviteUrl, makeInvite } from "../../lib/link/invites.ts";
import { addLink } from "../../lib/store/links.ts";
import { fanIdOf } from "../fanvue-client.ts";
import { type Installation, type Person, startInstallation } from "../installation.ts";
import type { RunningScript } from "../harness.ts";
import { accountOf } from "../sandbox/discord-setup.ts";
import { freePort } from "../synapse/homeserver.ts";

const creatorName = "Studio Meadow";

export interface Site {
  readonly home: Installation;
  /** Where the site is, without a slash at its end. */
  readonly address: string;
  /** A subscriber whom nobody has linked yet: their own accounts on Fanvue, Discord and Matrix. */
  newFan(name: string): Person;
  /** The same, once a run has saved who there is: by their name on Fanvue, the site knows nobody else. */
  knownFan(name: string): Promise<Person>;
  /** Links a fan to their Discord account, as if they had proved it. */
  link(person: Person): Promise<void>;
  /** A personal link of a fan, good for seven days. */
  invite(person: Person, madeAtMs?: number): Promise<string>;
  /** The same, as the operator makes one. */
  inviteByScript(person: Person): Promise<string>;
  /** Lets the codes of a fan expire. */
  expireCodes(person: Person): Promise<void>;
  /** Somebody's browser, logged in to their accounts at the other services. */
  visit(person: Person, options?: BrowserContextOptions): Promise<Visitor>;
}

export interface Visitor {
  readonly person: Person;
  readonly page: Page;
  /** Another tab of the same browser. */
  newTab(): Promise<Page>;
  /** Somebody else sits down at the same browser: other accounts at the other services, the same cookies here. */
  changePlaces(person: Person): Promise<void>;
}

export type End = () => unknown;
export interface Cleaning {
  after(end: End): void;
}

/** Ends everything, what was begun last first, and throws what went wrong only then. */
export async function endAll(ends: readonly End[]): Promise<void> {
  const errors: unknown[] = [];
  for (const end of ends.toReversed())
    try {
      await end();
    } catch (error) {
      errors.push(error);
    }
  if (errors.length > 0) throw new AggregateError(errors, "not everything ended in order");
}

/** Starts the installation and the site. What it registers at `cleaning` has to run in the reverse order. */
export async function startSite(cleaning: Cleaning, browser: Browser): Promise<Site> {
  const home = await startInstallation(cleaning);
  const port = await freePort();
  // Another site than 127.0.0.1, where the other services are: what comes back from them comes from elsewhere.
  const address = `http://localhost:${String(port)}`;
  configure(home, { address, port });
  const script = home.start("link-server");
  cleaning.after(() => stop(script));
  await answers(address, script);
  for (const { code, stdout, stderr } of await home.syncBoth()) assert.equal(code, 0, stdout + stderr);

  let people = 0;
  const site: Site = {
    home,
    address,
    newFan(name) {
      const person = home.addPerson(name, { linked: false });
      home.entitle("subscription", person);
      return person;
    },
    async knownFan(name) {
      const person = site.newFan(name);
      const { code, stdout, stderr } = await home.sync("discord");
      assert.equal(code, 0, stdout + stderr);
      return person;
    },
    link: ({ fan, discord }) =>
      openDatabase(home.dataDir).write((sql) => {
        const link = { fan: fanIdOf(fan), platform: "discord", account: accountOf(discord) } as const;
        addLink(sql, { ...link, source: "proved" }, Date.now());
      }),
    invite: ({ fan }, madeAtMs = Date.now()) =>
      openDatabase(home.dataDir).write((sql) => {
        const { token } = makeInvite(sql, { fan: fanIdOf(fan), days: 7, isSent: false }, madeAtMs);
        return inviteUrl(address, token);
      }),
    async inviteByScript({ fan }) {
      const { code, stdout, stderr } = await home.run("links", "invite", "--fan", fan.handle);
      const [url] = /https?:\/\/\S+/.exec(stdout) ?? [];
      assert.ok(code === 0 && url !== undefined, stdout + stderr);
      return url;
    },
    expireCodes: ({ fan }) =>
      openDatabase(home.dataDir).write((sql) => {
        sql.run("UPDATE link_codes SET expires_at_ms = created_at_ms WHERE fan = ?", [fan.uuid]);
      }),
    async visit(person, options = {}) {
      people += 1;
      // An address of their own, as a proxy tells it: the limits of one visitor are not those of the next.
      const from = `198.51.100.${String(people)}`;
      const context = await browser.newContext({
        ...options,
        extraHTTPHeaders: { "x-forwarded-for": from, ...options.extraHTTPHeaders },
      });
      context.setDefaultTimeout(10_000);
      const changePlaces = ({ fan, discord }: Person) =>
        context.addCookies([
          { name: "fanvue_user", value: fan.uuid, url: home.town.fanvue.authUrl },
          { name: "discord_user", value: discord, url: home.town.discord.apiUrl },
        ]);
      await changePlaces(person);
      const blocked: string[] = [];
      context.on("console", (message) => {
        if (/content security policy/i.test(message.text())) blocked.push(message.text());
      });
      cleaning.after(async () => {
        await context.close();
        assert.deepEqual(blocked, [], "the pages hold something that their own policy forbids");
      });
      return { person, page: await context.newPage(), newTab: () => context.newPage(), changePlaces };
    },
  };
  return site;
}

function configure(home: Installation, site: { readonly address: string; readonly port: number }): void {
  const { town, config } = home;
  const { fanvue, discord } = town;
  const callback = `${site.address}/callback`;
  fanvue.app.redirectUris.push(callback);
  discord.world.application.redirectUris.push(callback);
  fanvue.consent.page = true;
  discord.consent.page = true;
  Object.assign(config.fanvue, { redirect_uri: callback });
  config.discord = {
    ...config.discord,
    oauth_client_id: discord.world.application.id,
    oauth_client_secret: discord.world.application.clientSecret,
    oauth_redirect_uri: callback,
  };
  config["link"] = { public_url: site.address, port: site.port, name: creatorName, color: "#7a3ea1" };
  config["trust_proxy"] = true;
  home.saveConfig();
}

/** Tries until it answers; throws with what it said where it ended before. */
async function answers(address: string, { process, result }: RunningScript): Promise<void> {
  const isUp = async () => (await fetch(address).catch(() => undefined))?.ok === true;
  for (let tries = 0; tries < 600 && process.exitCode === null; tries += 1) {
    if (await isUp()) return;
    await sleep(50);
  }
  process.kill("SIGKILL");
  const { stdout, stderr } = await result;
  throw new Error(`the link site did not start:\n${stdout}${stderr}`);
}

const exitCodeOfSigterm = 143;

/** As a service manager ends it: it must go in order, and must have had nothing to complain of. */
async function stop({ process, result }: RunningScript): Promise<void> {
  process.kill("SIGTERM");
  const { code, stdout, stderr } = await result;
  assert.deepEqual([code, linesWorse(stderr)], [exitCodeOfSigterm, []], stdout + stderr);
}

const linesWorse = (stderr: string) => stderr.split("\n").filter((line) => /^\{"level":[456]0,/.test(line));

/** Tries until something is so, for a minute: syncs are waited for that stand in a queue. */
export async function eventually(what: string, isSo: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1200; tries += 1) {
    if (isSo()) return;
    await sleep(50);
  }
  assert.fail(`not in time: ${what}`);
}
