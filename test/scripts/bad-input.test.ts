/** Whatever is wrong with the files, a script says which one, where and what to do, and does nothing. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { stringify } from "yaml";

import {
  assertToldOnStderr,
  settle,
  startInstallation,
  startPeopled,
  type Installation,
} from "../installation.ts";

const write = (home: Installation, text: string) => {
  writeFileSync(join(home.folder, "config.yaml"), text, { mode: 0o600 });
};
const edited = (home: Installation, change: (config: Installation["config"]) => void) => {
  const copy = structuredClone(home.config);
  change(copy);
  write(home, stringify(copy));
};

const role = "123456789012345678";
const rule = { type: "subscription" };

/** Each with the sentence that has to come of it. */
const configs: readonly (readonly [name: string, make: (home: Installation) => void, sentence: RegExp])[] = [
  [
    "an empty config",
    (home) => {
      write(home, "");
    },
    /config\.yaml:1.*empty/,
  ],
  [
    "tabs",
    (home) => {
      write(home, "fanvue:\n\tclient_id: a\n");
    },
    /config\.yaml:2.*[Tt]ab/,
  ],
  [
    "a list where a map belongs",
    (home) => {
      edited(home, (config) => {
        Object.assign(config, { roles: [role] });
      });
    },
    /config\.yaml:\d+.*roles/,
  ],
  [
    "an unknown rule type",
    (home) => {
      edited(home, (config) => {
        config.roles = { [role]: { type: "subscribtion" } };
      });
    },
    /config\.yaml:\d+.*subscribtion.*subscription/,
  ],
  [
    "a negative amount",
    (home) => {
      edited(home, (config) => {
        config.roles = { [role]: { type: "spending", min_lifetime_spend_cents: -1 } };
      });
    },
    /config\.yaml:\d+.*min_lifetime_spend_cents.*-1/,
  ],
  [
    "on_expiry: kick_role",
    (home) => {
      edited(home, (config) => {
        config.roles = { [role]: { ...rule, on_expiry: "kick_role" } };
      });
    },
    /config\.yaml:\d+.*on_expiry.*kick_role/,
  ],
  [
    "a role id with a letter",
    (home) => {
      edited(home, (config) => {
        config.roles = { "12345678901234567a": rule };
      });
    },
    /config\.yaml:\d+.*12345678901234567a/,
  ],
  [
    "an alias without a server",
    (home) => {
      edited(home, (config) => {
        config.rooms = { "#vip": rule };
      });
    },
    /config\.yaml:\d+.*#vip/,
  ],
  [
    "a place listed twice",
    (home) => {
      const rest = structuredClone(home.config);
      delete rest.roles;
      write(
        home,
        `${stringify(rest)}roles:\n  "${role}":\n    type: subscription\n  ${role}:\n    type: top_spender\n`,
      );
    },
    /config\.yaml:\d+.*123456789012345678/,
  ],
  [
    "a missing token",
    (home) => {
      edited(home, ({ discord }) => {
        delete discord?.["token"];
      });
    },
    /config\.yaml:\d+.*token/,
  ],
  [
    "an environment that lacks a name",
    (home) => {
      edited(home, ({ discord }) => {
        Object.assign(discord ?? {}, { token: "${NOT_SET_ANYWHERE}" });
      });
    },
    /config\.yaml:\d+.*NOT_SET_ANYWHERE/,
  ],
  [
    "a folder in place of the config",
    (home) => {
      rmSync(join(home.folder, "config.yaml"), { force: true });
      mkdirSync(join(home.folder, "config.yaml"));
    },
    /config\.yaml.*(folder|directory)/,
  ],
  [
    "no config",
    (home) => {
      rmSync(join(home.folder, "config.yaml"), { force: true });
    },
    /config\.yaml: there is no such file/,
  ],
];

const database = "fanvue-sync.db";

const databases: readonly (readonly [name: string, make: (path: string) => void, sentence: RegExp])[] = [
  [
    "a damaged database",
    (path) => {
      const bytes = readFileSync(path);
      bytes.fill(0xaa, 4096, 12_288);
      writeFileSync(path, bytes);
    },
    /fanvue-sync\.db.*damaged/,
  ],
  [
    "a database that is cut off",
    (path) => {
      writeFileSync(path, readFileSync(path).subarray(0, 5000));
    },
    /fanvue-sync\.db.*(damaged|cut)/,
  ],
  [
    "a database that is no database",
    (path) => {
      writeFileSync(path, "dear diary\n".repeat(1000));
    },
    /fanvue-sync\.db/,
  ],
  [
    "an empty database file",
    (path) => {
      writeFileSync(path, "");
    },
    /fanvue-sync\.db/,
  ],
  [
    "a database of a newer version",
    (path) => {
      const newer = new DatabaseSync(path);
      newer.exec("PRAGMA user_version = 9999");
      newer.close();
    },
    /fanvue-sync\.db was written by a newer version/,
  ],
  [
    "a folder in place of the database",
    (path) => {
      renameSync(path, `${path}.old`);
      mkdirSync(path);
    },
    /fanvue-sync\.db.*(folder|directory)/,
  ],
];

describe("bad input", { concurrency: 2 }, () => {
  it("in the config: exit 2 and a sentence with file and line, from every script", async (test) => {
    const home = await startInstallation(test);
    for (const [index, [name, make, sentence]] of configs.entries()) {
      make(home);
      // All scripts read the config by the same few lines: one of them shows that here each time.
      const sync = index === 0 ? home.run("sync-matrix") : home.sync("discord");
      for (const result of [await home.run("check-config"), await sync]) {
        assertToldOnStderr(result, 2, sentence);
        assert.equal(result.stdout, "", name);
      }
      rmSync(join(home.folder, "config.yaml"), { recursive: true, force: true });
    }
    assert.equal(home.town.discord.requests.length + home.town.fanvue.requests.length, 0);
  });

  it("in the config: all faults at once, unknown keys with the nearest known one", async (test) => {
    const home = await startInstallation(test);
    edited(home, (config) => {
      config.roles = { [role]: { ...rule, on_expirey: "kick" }, "999": rule };
      config["snapshot_max_age"] = "soon";
    });
    const { code, stderr } = await home.run("check-config");
    assert.equal(code, 2);
    assert.match(stderr, /on_expirey[^\n]*on_expiry/);
    assert.match(stderr, /999/);
    assert.match(stderr, /snapshot_max_age/);
  });

  it("in place of the database: a sentence, nobody is removed, and it is left as it is", async (test) => {
    const home = await startPeopled(test);
    await settle(home);
    home.lapse("top_spender", home.cast.top_spender);
    const path = join(home.dataDir, database);
    const good = readFileSync(path);
    const filesNow = () => [...(home.files() ?? [])].filter(([file]) => file.startsWith(database));
    for (const [name, make, sentence] of databases)
      await test.test(name, async () => {
        make(path);
        const before = filesNow();
        for (const result of [await home.run("sync-discord"), await home.sync("discord", "--dry-run")]) {
          assertToldOnStderr(result, 2, sentence);
          assert.equal(result.stdout, "");
        }
        assert.deepEqual(filesNow(), before);
        assert.deepEqual(home.holders("top_spender"), ["keeper", "top_spender"]);
        rmSync(path, { recursive: true });
        writeFileSync(path, good, { mode: 0o600 });
      });
    assert.equal((await home.sync("discord")).code, 0);
    assert.deepEqual(home.holders("top_spender"), ["keeper"], "it was the database that kept them");
  });

  it("a file in place of the data folder", async (test) => {
    const home = await startPeopled(test);
    writeFileSync(join(home.folder, "other"), "a file\n");
    for (const script of ["sync-discord", "fetch-earnings"])
      assertToldOnStderr(await home.run(script, "--data", "other"), 2, /other/);
    assert.equal(readFileSync(join(home.folder, "other"), "utf8"), "a file\n");
  });

  it("a damaged token file", async (test) => {
    const home = await startPeopled(test);
    writeFileSync(join(home.dataDir, "fanvue-token.json"), '{"accessToken": ');
    assertToldOnStderr(await home.sync("discord"), 2, /fanvue-token\.json.*damaged[^]*authorize/);
  });

  const isRoot = process.getuid?.() === 0;
  it(
    "a data folder that may not be written to",
    { skip: isRoot && "root may write everywhere" },
    async (test) => {
      const home = await startPeopled(test);
      chmodSync(home.dataDir, 0o500);
      test.after(() => {
        chmodSync(home.dataDir, 0o700);
      });
      assertToldOnStderr(await home.run("sync-discord"), 2, /data/);
    },
  );

  it("a config that others can read gets a warning, and is used", async (test) => {
    const home = await startPeopled(test);
    chmodSync(join(home.folder, "config.yaml"), 0o644);
    const { code, stderr } = await home.sync("discord");
    assert.equal(code, 0, stderr);
    assert.match(stderr, /config\.yaml.*chmod 600/);
  });
});
