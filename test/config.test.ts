/**
 * Configs as cases: each YAML file beside what becomes of it, compared whole. `UPDATE_CASES=1` writes the texts anew;
 * read them before they are kept.
 */
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { Pair, parseDocument, visit } from "yaml";
import type { AddressBooks } from "../lib/config/address-book.ts";
import { callbacksOf, describeCallbacks } from "../lib/config/callbacks.ts";
import { loadConfig } from "../lib/config/load.ts";
import type { Config } from "../lib/config/shape.ts";
import { describeConfig, describeConfigJson } from "../lib/describe-config.ts";
import { BadInputError, OperatorError } from "../lib/errors.ts";
import { runScript, temporaryFolder } from "./harness.ts";

const casesDir = join(import.meta.dirname, "cases", "config");
const example = join(import.meta.dirname, "..", "config.yaml.example");

const env = {
  APP: "app-of-the-environment",
  SECRET: "secret-of-the-environment",
  HOST: "localhost:8080",
  GUILD: "123456789012345678",
  OWNER: "333333333333333333",
  CENTS: "5000",
  EXPIRY: "ignore",
  ADOPT: "false",
};
const secrets = [env.SECRET, "hush-hush", "bot-token-of-this-case", "room-key-of-this-case"];
const noBooks: AddressBooks = { books: [], warnings: [] };

/** A config of this text in a folder of its own, readable by nobody else. */
function place(test: TestContext, text: string): { readonly folder: string; readonly path: string } {
  const folder = temporaryFolder(test);
  const path = join(folder, "config.yaml");
  writeFileSync(path, text, { mode: 0o600 });
  return { folder, path };
}

const load = (test: TestContext, text: string): Config => loadConfig(place(test, text).path, env);

/** What a person is told: what was understood, or what is wrong and the remedy. */
function told(path: string): string {
  try {
    return describeConfig(loadConfig(path, env), noBooks);
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    return `${error.message}\n${error.remedy}`;
  }
}

const refused = (test: TestContext, text: string): BadInputError => {
  try {
    load(test, text);
  } catch (error) {
    if (error instanceof BadInputError) return error;
    throw error;
  }
  return assert.fail("the config was taken");
};

const start = `
fanvue: { client_id: app, client_secret: hush-hush, redirect_uri: "http://localhost:8080/callback" }
discord: { token: bot-token-of-this-case, guild_id: 123456789012345678 }
`;

describe("a config becomes what its case says", () => {
  for (const file of readdirSync(casesDir).filter((name) => name.endsWith(".yaml"))) {
    it(basename(file, ".yaml").replaceAll("-", " "), (test) => {
      const { folder, path } = place(test, readFileSync(join(casesDir, file), "utf8"));
      const text = `${told(path).replaceAll(`${folder}/`, "")}\n`;
      const expected = join(casesDir, file.replace(".yaml", ".txt"));
      if (process.env["UPDATE_CASES"] === "1") writeFileSync(expected, text);
      assert.equal(text, readFileSync(expected, "utf8"));
    });
  }
});

describe("secrets", () => {
  for (const file of readdirSync(casesDir).filter((name) => name.endsWith(".yaml"))) {
    it(`stay out of every text about ${basename(file, ".yaml")}`, (test) => {
      const { path } = place(test, readFileSync(join(casesDir, file), "utf8"));
      const text = told(path);
      assert.deepEqual(
        secrets.filter((secret) => text.includes(secret)),
        [],
      );
    });
  }

  it("stay out of the document for programs", (test) => {
    const config = load(
      test,
      `${start}matrix: { homeserver: "https://hs.org", user_id: "@bot:hs.org", access_token: room-key-of-this-case }`,
    );
    const text = JSON.stringify(describeConfigJson(config, noBooks));
    assert.deepEqual(
      secrets.filter((secret) => text.includes(secret)),
      [],
    );
  });
});

describe("ids", () => {
  it("keep all their digits without quotes, as values, keys and items", (test) => {
    const config = load(
      test,
      `${start}roles: { 9007199254740993001: { type: top_spender } }
auto_join: { roles: [9007199254740993003] }
protected: [9007199254740993005]
list_sync: { a: { discord_role_id: 9007199254740993007, fanvue_list: { name: a } } }
upsell: { offer_message: hello, required_entitlement_ids: [9007199254740993009] }`,
    );
    assert.equal(config.discord?.guildId, "123456789012345678");
    assert.deepEqual(
      config.discord.places.map(({ id }) => id),
      ["9007199254740993001", "9007199254740993007"],
    );
    assert.deepEqual(config.discord.autoJoin.roles, ["9007199254740993003"]);
    assert.deepEqual([...config.protectedAccounts], ["9007199254740993005"]);
    assert.equal(config.listSync[0]?.role, "9007199254740993007");
    assert.deepEqual(config.upsell?.requiredEntitlementIds, ["9007199254740993009"]);
  });

  it("of lists and contents are compared in small letters, as Fanvue writes them", (test) => {
    const config = load(
      test,
      `${start}roles:
  987654321098765432:
    - { type: unlock, content_id: ABCDEF00-0000-4000-8000-000000000001 }
    - { type: fanvue_list, list_uuid: ABCDEF00-0000-4000-8000-000000000002 }`,
    );
    assert.deepEqual(config.discord?.places[0]?.rules, [
      { kind: "unlock", contentId: "abcdef00-0000-4000-8000-000000000001" },
      { kind: "fanvue_list", list: { type: "custom", id: "abcdef00-0000-4000-8000-000000000002" } },
    ]);
  });
});

describe("what is left out", () => {
  it("has the documented default", (test) => {
    const { path, warnings, ...config } = load(
      test,
      `${start}roles: { 987654321098765432: { type: subscription } }`,
    );
    assert.deepEqual(warnings, []);
    assert.equal(basename(path), "config.yaml");
    assert.deepEqual(config, {
      fanvue: {
        clientId: "app",
        clientSecret: "hush-hush",
        redirectUri: "http://localhost:8080/callback",
        apiUrl: "https://api.fanvue.com",
        authUrl: "https://auth.fanvue.com",
        apiPrefix: "auto",
      },
      discord: {
        token: "bot-token-of-this-case",
        guildId: "123456789012345678",
        apiUrl: "https://discord.com/api",
        protectBoosters: false,
        oauth: undefined,
        places: [
          {
            target: "discord",
            id: "987654321098765432",
            rules: [{ kind: "subscription", freeTrial: true }],
            onExpiry: "revoke",
            graceDays: 0,
            strangers: "keep",
            adopt: true,
          },
        ],
        autoJoin: { enabled: false, roles: [] },
      },
      matrix: undefined,
      listSync: [],
      mirrors: [],
      upsell: undefined,
      protectedAccounts: new Set(),
      limits: {
        maxRemovalShare: 0.2,
        minRemovalsPerPlace: 2,
        minRemovalsPerTarget: 5,
        removalRootFactor: 2,
        maxSourceDropShare: 0.3,
        minSourceDrop: 5,
      },
      snapshotMaxAgeMs: 120_000,
      followersMaxAgeMs: 3_600_000,
      unknownAfterDays: 7,
      schedule: { sync: "*/5 * * * *", healthPort: undefined },
      link: {
        isConfigured: false,
        publicUrl: undefined,
        host: "127.0.0.1",
        port: 8080,
        name: undefined,
        color: undefined,
        signIn: true,
        inboxCode: true,
        personalLinks: true,
      },
      notify: { discordChannelId: undefined, matrixRoom: undefined },
      trustProxy: false,
    });
  });
});

describe("values", () => {
  for (const [written, ms] of [
    ["90s", 90_000],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["1d", 86_400_000],
    ["45", 45_000],
    ['"45"', 45_000],
    ["0", 0],
    ["1.5h", 5_400_000],
  ] as const)
    it(`take ${written} as a length of time`, (test) => {
      assert.equal(load(test, `${start}snapshot_max_age: ${written}`).snapshotMaxAgeMs, ms);
    });

  for (const [word, onExpiry] of [
    ["remove_role", "revoke"],
    ["kick", "evict"],
    ["ignore", "keep"],
  ] as const)
    it(`take ${word} of a role as ${onExpiry}`, (test) => {
      const text = `${start}roles: { 987654321098765432: { type: top_spender, on_expiry: ${word} } }`;
      assert.equal(load(test, text).discord?.places[0]?.onExpiry, onExpiry);
    });

  for (const [word, onExpiry] of [
    ["kick", "revoke"],
    ["ignore", "keep"],
  ] as const)
    it(`take ${word} of a room as ${onExpiry}`, (test) => {
      const text = `${start}matrix: { homeserver: "https://hs.org/", user_id: "@bot:hs.org", access_token: key }
rooms: { "#a:hs.org": { type: top_spender, on_expiry: ${word} } }`;
      const { matrix } = load(test, text);
      assert.equal(matrix?.places[0]?.onExpiry, onExpiry);
      assert.equal(matrix.homeserver, "https://hs.org");
    });

  it("from the environment may be only a part of a value, and stay text", (test) => {
    const config = load(
      test,
      start
        .replace("app,", '"${APP}",')
        .replace("localhost:8080", "${HOST}")
        .replace("123456789012345678", '"${GUILD}"'),
    );
    assert.equal(config.fanvue.clientId, "app-of-the-environment");
    assert.equal(config.fanvue.redirectUri, "http://localhost:8080/callback");
    assert.equal(config.discord?.guildId, "123456789012345678");
  });

  for (const host of ["[::1]", "::1"])
    it(`take ${host} as the address to listen at, without brackets`, (test) => {
      assert.equal(load(test, `${start}link: { host: "${host}" }`).link.host, "::1");
    });

  it("in a comment are not looked up in the environment", (test) => {
    assert.equal(load(test, `# \${NOBODY_SET_THIS}\n${start}`).fanvue.clientId, "app");
  });
});

describe("the addresses to register", () => {
  it("are those of authorizing, of the link pages and of Discord's sign-in", (test) => {
    const config = load(test, readFileSync(example, "utf8"));
    assert.deepEqual(callbacksOf(config), {
      fanvue: ["http://localhost:8080/callback", "https://link.example.org/callback"],
      discord: ["https://link.example.org/callback"],
    });
    const text = describeCallbacks(config);
    assert.match(text, /on your Fanvue app: https:\/\/link\.example\.org\/callback/);
    assert.match(text, /in Discord's developer portal, under OAuth2: https:\/\/link\.example\.org\/callback/);
  });

  it("are one where there are no link pages on the internet, or nobody signs in on them", (test) => {
    const only = { fanvue: ["http://localhost:8080/callback"], discord: [] };
    assert.deepEqual(callbacksOf(load(test, start)), only);
    const signInOff = `${start}link: { public_url: "https://link.example.org", sign_in: false }`;
    assert.deepEqual(callbacksOf(load(test, signInOff)), only);
  });
});

describe("the file", () => {
  it("that is not there has a remedy", (test) => {
    const path = join(temporaryFolder(test), "config.yaml");
    assert.throws(() => loadConfig(path, env), {
      name: "BadInputError",
      exitCode: 2,
      message: `${path}: there is no such file.`,
      remedy:
        "Copy config.yaml.example to config.yaml and fill it in, or name another file with --config PATH.",
    });
  });

  it("that is a folder is refused", (test) => {
    const path = join(temporaryFolder(test), "config.yaml");
    mkdirSync(path);
    assert.throws(() => loadConfig(path, env), {
      name: "BadInputError",
      message: `${path}: this is a folder, not a file.`,
    });
  });

  it("that may not be read is refused", { skip: process.getuid?.() === 0 && "root may read all" }, (test) => {
    const { path } = place(test, start);
    chmodSync(path, 0);
    assert.throws(() => loadConfig(path, env), {
      name: "BadInputError",
      message: `${path}: the file cannot be read (EACCES).`,
    });
  });

  it("that others may read is taken with a warning", (test) => {
    const { path } = place(test, start);
    chmodSync(path, 0o640);
    assert.deepEqual(loadConfig(path, env).warnings, [
      `${path}: other users of this machine can read it and the secrets in it. Run: chmod 600 ${path}`,
    ]);
  });

  it("with Windows line ends and a byte order mark is read like any other", (test) => {
    const text = `\uFEFF${start.trim()}\nroles: { everyone: { type: top_spender } }`.replaceAll("\n", "\r\n");
    assert.match(
      refused(test, text).message,
      /config\.yaml:3: roles\.everyone: "everyone" is no Discord role's id/,
    );
  });

  it("cannot be changed once it is loaded", (test) => {
    const config = load(test, `${start}roles: { 987654321098765432: { type: subscription } }`);
    const rule = config.discord?.places[0]?.rules[0];
    assert.ok(rule);
    assert.ok([config, config.fanvue, config.discord, config.limits, rule].every(Object.isFrozen));
    assert.throws(() => Object.assign(rule, { kind: "top_spender" }), TypeError);
  });
});

describe("config.yaml.example", () => {
  const text = readFileSync(example, "utf8");

  it("loads, and nothing in it is odd but its placeholders", (test) => {
    const odd = load(test, text).warnings.filter((warning) => !/placeholder/.test(warning));
    assert.deepEqual(odd, []);
  });

  it("shows every key that is known", (test) => {
    // A key that is like no other makes each map tell all the keys it knows.
    const document = parseDocument(text);
    visit(document, {
      Map(_, map) {
        map.add(new Pair("q".repeat(30), 1));
      },
    });
    const { message } = refused(test, String(document));
    const known = [...message.matchAll(/Remove it, or write (.*)\.$/gm)].flatMap(
      ([, names]) => names?.split(/, | or /) ?? [],
    );
    assert.ok(new Set(known).size > 60, `only ${String(new Set(known).size)} keys were told`);
    const hidden = [...new Set(known)].filter((key) => !new RegExp(`^[ #-]*${key}:`, "m").test(text));
    assert.deepEqual(hidden, []);
  });
});

describe("check-config", () => {
  it("tells what it understood and ends in order", async (test) => {
    const folder = temporaryFolder(test);
    copyFileSync(example, join(folder, "config.yaml"));
    writeFileSync(
      join(folder, "discord_addressbook.yaml"),
      "00000000-0000-4000-8000-000000000001: 333333333333333333",
    );
    const { code, stdout, stderr } = await runScript("check-config", [], { cwd: folder });
    assert.equal(stderr, "");
    assert.match(
      stdout,
      /Role 777777777777777777: subscribers OR fans who spent 100\.00 USD or more; when that ends: they/,
    );
    assert.match(stdout, /^ {2}discord_addressbook\.yaml: 1 link$/m);
    assert.equal(code, 0);
  });

  it("prints one document with --json", async (test) => {
    const { folder } = place(test, start);
    const { stdout } = await runScript("check-config", ["--json"], { cwd: folder });
    const document: unknown = JSON.parse(stdout);
    assert.ok(typeof document === "object" && document !== null && "warnings" in document);
    assert.deepEqual(document.warnings, []);
  });

  it("ends with 2 and all faults on stderr where the config cannot be used", async (test) => {
    const { folder } = place(test, `${start}rolls: {}\nrooms: {}\n`);
    const { code, stdout, stderr } = await runScript("check-config", [], { cwd: folder });
    assert.equal(stdout, "");
    assert.match(stderr, /config\.yaml:4: rolls: .*\nconfig\.yaml:5: rooms: needs the section matrix\./);
    assert.equal(code, 2);
  });
});

it("a fault of the config is the operator's, not a bug", (test) => {
  assert.ok(refused(test, "") instanceof OperatorError);
});
