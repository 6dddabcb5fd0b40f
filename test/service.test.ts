/** The unit and the crontab lines: for odd paths and users, too, and as the script prints them. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { userInfo } from "node:os";
import { describe, it, type TestContext } from "node:test";
import { loadConfig } from "../lib/config/load.ts";
import type { Config } from "../lib/config/shape.ts";
import { crontabOf } from "../lib/daemon/crontab.ts";
import { type ServicePlace, unitText } from "../lib/daemon/unit.ts";
import { runScript, temporaryFolder } from "./harness.ts";
import { assertToldOnStderr } from "./installation.ts";

const place: ServicePlace = {
  projectDir: "/home/me/fanvue-sync",
  nodePath: "/usr/bin/node",
  daemonPath: "/home/me/fanvue-sync/scripts/daemon.ts",
  configPath: "/home/me/fanvue-sync/config.yaml",
  dataDir: "/home/me/fanvue-sync/data",
  user: "me",
  isUser: true,
  isOwner: true,
};
const odd: ServicePlace = {
  ...place,
  projectDir: '/srv/my "fans" 100%',
  daemonPath: '/srv/my "fans" 100%/scripts/daemon.ts',
  configPath: "/srv/it's/$HOME/config.yaml",
  dataDir: '/srv/my "fans" 100%/data',
};

/** The values of a key, in order. */
const valuesOf = (unit: string, key: string) =>
  unit.split("\n").flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));

const start = `
fanvue: { client_id: app, client_secret: hush, redirect_uri: "http://localhost:8080/callback" }
discord: { token: token, guild_id: 123456789012345678 }
roles: { 987654321098765432: { type: subscription } }
`;
const matrix = `
matrix: { homeserver: "https://hs.org", user_id: "@bot:hs.org", access_token: token }
rooms: { "#a:hs.org": { type: subscription } }
`;

function save(t: TestContext, text: string): string {
  const path = join(temporaryFolder(t), "config.yaml");
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}
const load = (t: TestContext, text: string): Config => loadConfig(save(t, text), {});

describe("the unit", () => {
  it("runs the daemon as this user, and lets it write its data folder only", () => {
    const unit = unitText(place);
    assert.deepEqual(valuesOf(unit, "User"), ["me"]);
    assert.deepEqual(valuesOf(unit, "WorkingDirectory"), ["/home/me/fanvue-sync"]);
    assert.deepEqual(valuesOf(unit, "ReadWritePaths"), ["/home/me/fanvue-sync/data"]);
    assert.deepEqual(valuesOf(unit, "ExecStart"), [
      [
        "/usr/bin/node --disable-warning=ExperimentalWarning",
        "/home/me/fanvue-sync/scripts/daemon.ts",
        "--config /home/me/fanvue-sync/config.yaml --data /home/me/fanvue-sync/data",
      ].join(" "),
    ]);
    assert.deepEqual(valuesOf(unit, "MemoryDenyWriteExecute"), []);
    assert.doesNotMatch(unit, /useradd|chown/);
  });

  it("writes odd paths as systemd reads them", () => {
    const unit = unitText(odd);
    assert.deepEqual(valuesOf(unit, "WorkingDirectory"), ['/srv/my "fans" 100%%']);
    assert.deepEqual(valuesOf(unit, "ReadWritePaths"), ['"/srv/my \\"fans\\" 100%%/data"']);
    assert.match(valuesOf(unit, "ExecStart").join(""), / "\/srv\/my \\"fans\\" 100%%\/scripts\/daemon\.ts" /);
    assert.match(valuesOf(unit, "ExecStart").join(""), / --config "\/srv\/it's\/\$\$HOME\/config\.yaml" /);
  });

  it("tells how to make the user, and to give it what it needs", () => {
    const own = unitText({ ...place, user: "fanvue-sync", isUser: false, isOwner: false });
    assert.match(
      own,
      /^# {3}useradd --system .* fanvue-sync\n# {3}chown -R fanvue-sync: \/home\/me\/fanvue-sync\/data$/m,
    );
    const other = unitText({ ...place, user: "you", isOwner: false });
    assert.doesNotMatch(other, /useradd/);
    assert.match(other, /^# {3}chown -R you: /m);
  });
});

describe("the crontab", () => {
  it("starts the daemon, or runs each script that the config needs by itself", (t) => {
    const begin = "umask 077; cd /home/me/fanvue-sync &&";
    assert.deepEqual(crontabOf(load(t, `${start}schedule: { sync: "*/10 * * * *" }`), place), {
      daemon: [`@reboot ${begin} npm run --silent daemon >> daemon.log 2>&1`],
      scripts: [
        `*/10 * * * * ${begin} npm run --silent sync-discord >> sync.log 2>&1`,
        `@reboot ${begin} npm run --silent upsell-listener >> upsell-listener.log 2>&1`,
      ],
    });
    const { scripts } = crontabOf(load(t, `${start}${matrix}schedule: { sync: "*/30 * * * * *" }`), place);
    assert.equal(
      scripts[0],
      `* * * * * ${begin} { npm run --silent sync-discord; npm run --silent sync-matrix; } >> sync.log 2>&1`,
    );
  });

  it("writes odd paths as cron and the shell read them", (t) => {
    const { daemon } = crontabOf(load(t, start), odd);
    const files = `--config '/srv/it'\\''s/$HOME/config.yaml' --data '/srv/my "fans" 100\\%/data'`;
    assert.deepEqual(daemon, [
      `@reboot umask 077; cd '/srv/my "fans" 100\\%' && npm run --silent daemon -- ${files} >> daemon.log 2>&1`,
    ]);
  });
});

describe("the script service", { timeout: 30_000 }, () => {
  it("prints a unit with this machine's paths that is whole as it is, and the crontab as comments in it", async (t) => {
    const path = save(t, start);
    const { code, stdout, stderr } = await runScript("service", [], { cwd: join(path, "..") });
    assert.deepEqual([code, stderr], [0, ""]);
    const [command = ""] = valuesOf(stdout, "ExecStart");
    assert.ok(command.startsWith(`${process.execPath} --disable-warning=ExperimentalWarning /`), command);
    assert.ok(command.includes(resolve(import.meta.dirname, "..", "scripts", "daemon.ts")), command);
    assert.ok(command.endsWith(`--config ${path} --data ${join(path, "..", "data")}`), command);
    const isRoot = process.getuid?.() === 0;
    assert.deepEqual(valuesOf(stdout, "User"), [isRoot ? "fanvue-sync" : userInfo().username]);
    assert.match(stdout, /^# {3}@reboot umask 077; /m);
    assert.deepEqual(
      stdout.split("\n").filter((line) => !/^(|#.*|\[\w+\]|[A-Z]\w+=.*)$/.test(line)),
      [],
    );
  });

  it("takes another user, and prints a document", async (t) => {
    const cwd = join(save(t, start), "..");
    const { stdout } = await runScript("service", ["--json", "--user", "someone-else"], { cwd });
    const document = JSON.parse(stdout) as { unit: string; crontab: { daemon: string[]; scripts: string[] } };
    assert.deepEqual(valuesOf(document.unit, "User"), ["someone-else"]);
    assert.deepEqual([document.crontab.daemon.length, document.crontab.scripts.length], [1, 2]);
    assertToldOnStderr(
      await runScript("service", ["--user", "a b"], { cwd }),
      2,
      /--user a b: this is no user's name/,
    );
  });
});
