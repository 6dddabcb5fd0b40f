/**
 * What is attacked: one installation with the real script before it twice. `open` is reached through a proxy that is
 * trusted, so that attackers who are many can be told apart; `secure` stands under an https address and trusts nobody. The
 * clock of each can be put forward.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";

import { startScript, type RunningScript, type ScriptResult } from "../harness.ts";
import { startInstallation, type Installation, type Person } from "../installation.ts";
import { freePort } from "../synapse/homeserver.ts";
import { faultsOf, type Law } from "./judge.ts";
import { newVisitor, type Answer, type Visitor } from "./visitor.ts";

export interface Site {
  readonly address: string;
  readonly port: number;
  /** Somebody each of whose requests is from another address, or all from the given one. */
  visitor(from?: string): Visitor;
  /** Somebody whose answers nobody looks at. */
  stranger(): Visitor;
  /** Puts the clock forward: past the end of every code and attempt, or of every personal link. */
  passTime(by: "minutes" | "a week"): Promise<void>;
  readonly pid: number | undefined;
  /** Ends it as a service manager does, and gives all that it said. */
  stop(): Promise<ScriptResult>;
}

export interface Grounds {
  readonly home: Installation;
  readonly open: Site;
  readonly secure: Site;
  /** A subscriber whom nobody has linked, known to the site once somebody has synced. */
  readonly newFan: (name: string) => Person;
  /** A run of the sync, which must end in order. */
  sync(): Promise<void>;
  /** What was noticed since it was last asked: wrong answers of any kind, and links that nobody allowed. */
  betrayed(): readonly string[];
  /** Takes the links as they are now for rightful. */
  allowLinks(): void;
  /** All links in the database, in words. */
  links(): readonly string[];
  /** Every cookie value, form token, state and code that was seen on the way. */
  readonly confided: ReadonlySet<string>;
  readonly confide: (secret: string) => void;
}

export interface Cleaning {
  after(end: () => unknown): void;
}

export const creatorName = `Studio "Meadow" & <Friends>`;
const clientSecret = "sandbox-app-secret";

/** What it registers at `cleaning` has to run in the reverse order. */
export async function openGrounds(cleaning: Cleaning): Promise<Grounds> {
  const home = await startInstallation(cleaning);
  const [openPort, securePort] = [await freePort(), await freePort()];
  const openAddress = `http://localhost:${String(openPort)}`;
  const secureAddress = "https://fans.example.test";
  const answers: string[] = [];
  const confided = new Set<string>();

  const openConfig = configFor(home, { address: openAddress, port: openPort, trustProxy: true });
  Object.assign(home.config, openConfig);
  home.saveConfig();
  const secureConfig = configFor(home, { address: secureAddress, port: securePort, trustProxy: false });
  const path = join(home.folder, "secure.yaml");
  writeFileSync(path, stringify({ ...home.config, ...secureConfig }), { mode: 0o600 });

  const env = { NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, "clock.ts")).href}` };
  const scripts = {
    open: startScript("link-server", [], { cwd: home.folder, env }),
    secure: startScript("link-server", ["--config", path], { cwd: home.folder, env }),
  };
  const siteOf = (script: RunningScript, address: string, port: number) =>
    openSite({ script, address, port, law: lawOf(home, address), answers, confided });
  const open = siteOf(scripts.open, openAddress, openPort);
  const secure = siteOf(scripts.secure, secureAddress, securePort);
  for (const site of [open, secure]) cleaning.after(() => site.stop());
  await Promise.all([isUp(openPort, scripts.open), isUp(securePort, scripts.secure)]);

  const links = linksOf(home);
  let allowed = new Set<string>();
  const grounds: Grounds = {
    home,
    open,
    secure,
    links,
    confided,
    confide: (secret) => void confided.add(secret),
    newFan(name) {
      const person = home.addPerson(name, { linked: false });
      home.entitle("subscription", person);
      return person;
    },
    async sync() {
      const { code, stdout, stderr } = await home.sync("discord");
      assert.equal(code, 0, stdout + stderr);
    },
    allowLinks() {
      allowed = new Set(links());
    },
    betrayed() {
      const now = links();
      const lost = [...allowed].filter((link) => !now.includes(link)).map((link) => `${link} is gone`);
      const made = now.filter((link) => !allowed.has(link)).map((link) => `${link} was linked`);
      allowed = new Set(now);
      return [...answers.splice(0), ...lost, ...made];
    },
  };
  await grounds.sync();
  return grounds;
}

/** Reads them again when the database was written, each time as a new file. */
function linksOf(home: Installation): () => readonly string[] {
  const path = join(home.dataDir, "fanvue-sync.db");
  const stateOf = () => {
    const { ino, mtimeMs } = statSync(path);
    return `${String(ino)} ${String(mtimeMs)}`;
  };
  let known: { readonly state: string; readonly links: readonly string[] } | undefined;
  return () => {
    const state = stateOf();
    if (known?.state !== state)
      known = {
        state,
        links: home.rows("SELECT fan, account, source FROM links ORDER BY account, fan").map(inWords(home)),
      };
    return known.links;
  };
}

const inWords =
  ({ town }: Installation) =>
  ({ fan, account, source }: Readonly<Record<string, unknown>>): string =>
    `${town.fanvue.world.fans.get(String(fan))?.handle ?? String(fan)} – ${String(account)} (${String(source)})`;

function configFor(
  { town: { fanvue, discord }, config }: Installation,
  { address, port, trustProxy }: { address: string; port: number; trustProxy: boolean },
): Readonly<Record<string, unknown>> {
  const callback = `${address}/callback`;
  fanvue.app.redirectUris.push(callback);
  discord.world.application.redirectUris.push(callback);
  return {
    fanvue: { ...config.fanvue, redirect_uri: callback },
    discord: {
      ...config.discord,
      oauth_client_id: discord.world.application.id,
      oauth_client_secret: discord.world.application.clientSecret,
      oauth_redirect_uri: callback,
    },
    link: { public_url: address, port, name: creatorName },
    trust_proxy: trustProxy,
  };
}

function lawOf({ town: { fanvue, discord }, dataDir }: Installation, address: string): Law {
  const signInPages = [`${fanvue.authUrl}/oauth2/auth`, `${new URL(discord.apiUrl).origin}/oauth2/authorize`];
  const secrets = [
    clientSecret,
    discord.world.application.clientSecret,
    discord.world.bot.token,
    "sandbox-matrix-token",
    dataDir,
  ];
  return { address, signInPages, secrets: () => secrets };
}

interface SiteParts {
  readonly script: RunningScript;
  readonly address: string;
  readonly port: number;
  readonly law: Law;
  readonly answers: string[];
  readonly confided: Set<string>;
}

function openSite({ script, address, port, law, answers, confided }: SiteParts): Site {
  const { host } = new URL(address);
  const judge = (answer: Answer, what: string) => {
    answers.push(...faultsOf(answer, law).map((fault) => `the answer to ${what} ${fault}`));
    for (const secret of confidences(answer)) confided.add(secret);
  };
  return {
    address,
    port,
    visitor: (from) => newVisitor({ port, host, from, judge }),
    stranger: () => newVisitor({ port, host, from: undefined, judge: () => undefined }),
    pid: script.process.pid,
    async passTime(by) {
      const { stdout } = script.process;
      assert.ok(stdout !== null);
      const told = once(stdout, "data");
      script.process.kill(by === "minutes" ? "SIGUSR2" : "SIGWINCH");
      await told;
    },
    stop() {
      script.process.kill("SIGTERM");
      return script.result;
    },
  };
}

/** What an answer confides to one browser alone. */
const confidences = ({ headers, text }: Answer): readonly string[] =>
  [
    ...(headers["set-cookie"] ?? []).map((line) => /^[^=]+=([^;]*)/.exec(line)?.[1] ?? ""),
    ...[...text.matchAll(/name="(?:form_token|state|token|code)" value="([\w.~-]{20,})"/g)].map(
      ([, value = ""]) => value,
    ),
    ...[...text.matchAll(/state=([\w-]{20,})/g)].map(([, value = ""]) => value),
  ].filter((value) => value.length >= 20);

/** Tries until it answers; throws with what it said where it ended before. */
async function isUp(port: number, { process, result }: RunningScript): Promise<void> {
  const answers = async () =>
    (await fetch(`http://127.0.0.1:${String(port)}/`).catch(() => undefined))?.ok === true;
  for (let tries = 0; tries < 600 && process.exitCode === null; tries += 1) {
    if (await answers()) return;
    await sleep(25);
  }
  process.kill("SIGKILL");
  const { stdout, stderr } = await result;
  throw new Error(`the link site did not start:\n${stdout}${stderr}`);
}
