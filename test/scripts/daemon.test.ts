/** The script daemon as a person or a service manager runs it: rounds, links, health, signals, and nothing left behind. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { openDatabase } from "../../lib/db.ts";
import { parseDiscordUserId, parseFanId } from "../../lib/ids.ts";
import { addLink } from "../../lib/store/links.ts";
import { confirm, ready } from "../attacks/ways.ts";
import { askHealth, isAlive, processesIn, setDaemonStage, until } from "../daemon-stage.ts";
import { compileCache, projectDir } from "../harness.ts";
import { assertToldOnStderr, type Installation, type Person } from "../installation.ts";
import { drops, hangs } from "../sandbox/faults.ts";
import { skipWithoutTerminal, startOnTerminal } from "../terminal.ts";

/** In January: not while a test runs. */
const yearly = "0 4 1 1 *";

/** What `links add` does, without a process of its own. */
const link = ({ dataDir }: Installation, { fan, discord }: Person) =>
  openDatabase(dataDir).write((sql) =>
    addLink(
      sql,
      {
        platform: "discord",
        account: parseDiscordUserId(discord) ?? assert.fail(),
        fan: parseFanId(fan.uuid) ?? assert.fail(),
        source: "operator",
      },
      Date.now(),
    ),
  );

/** Elsewhere no file says which signals a process listens to. */
const isLinux = process.platform === "linux";

/** Without a terminal each line is a document. */
const plainLines = (stderr: string) =>
  stderr.split("\n").filter((line) => line !== "" && !/^\{"level":\d+,.*\}$/.test(line));

describe("the script daemon", { timeout: 60_000, concurrency: 2 }, () => {
  it("syncs at its start, then whoever is newly linked, keeps the pages up, and ends in order", async (t) => {
    const stage = await setDaemonStage(t, { sync: yearly, platforms: ["discord"], pages: true });
    const ana = stage.addPerson("ana");
    const [bo, cleo, dan] = ["bo", "cleo", "dan"].map((name) => stage.addPerson(name, { linked: false }));
    assert.ok(bo && cleo && dan);
    for (const person of [ana, bo, cleo, dan]) stage.entitle("subscription", person);
    stage.saveBooks();
    const daemon = stage.startDaemon("--json");
    const has = (name: string) => () => stage.holders("subscription").includes(name);

    await until("ana, of the address book, has the role", has("ana"), daemon);
    await until(
      "the round is over",
      async () => (await daemon.health())?.scripts["sync-discord"]?.exitCode === 0,
      daemon,
    );
    await until(
      "it knows of the snapshot",
      async () => typeof (await daemon.health())?.snapshotAgeSeconds === "number",
      daemon,
    );
    const health = await daemon.health();
    assert.ok(health);
    assert.equal(health.status, 200);
    assert.deepEqual(Object.keys(health.listeners), ["link-server", "upsell-listener"]);

    assertToldOnStderr(
      await stage.run("daemon"),
      75,
      /Another daemon is running with the data folder data\./,
    );

    await stage.run("links", "add", bo.fan.uuid, bo.discord);
    await until("bo, whom the operator linked, has the role", has("bo"), daemon);

    const visitor = await ready(stage, cleo);
    await confirm(visitor);
    await until("cleo, who linked herself, has the role", has("cleo"), daemon);
    assert.ok([...daemon.children()].every(([name]) => !name.startsWith("sync-") || name === "sync-discord"));

    const pid = daemon.children().get("link-server") ?? 0;
    process.kill(pid, "SIGKILL");
    await until(
      "the pages are back",
      async () => (await daemon.health())?.listeners["link-server"]?.restarts === 1,
      daemon,
    );
    assert.match(
      daemon.log(),
      /"level":40,[^\n]*link-server was ended by SIGKILL\. It is started again in 1 s\./,
    );

    // Half a config in the file changes nothing, for the scripts that are started meanwhile, either.
    writeFileSync(join(stage.folder, "config.yaml"), "discord: {", { mode: 0o600 });
    daemon.process.kill("SIGHUP");
    await until("the fault is told", () => daemon.log().includes("all goes on as before"), daemon);
    await link(stage, dan);
    await until("dan has the role", has("dan"), daemon);
    assert.equal((await daemon.health())?.status, 200);

    stage.config["schedule"] = { sync: "off" };
    stage.saveConfig();
    daemon.process.kill("SIGHUP");
    await until("the health page is gone", async () => (await daemon.health()) === undefined, daemon);
    await until("that is told", () => daemon.log().includes("read again. Changed: schedule."), daemon);
    await until("the listeners are up anew", () => daemon.children().size === 2, daemon);

    const children = [...daemon.children().values()];
    const { code, stdout, stderr } = await daemon.stop();
    assert.equal(code, 143, stderr);
    assert.deepEqual(children.filter(isAlive), []);
    assert.deepEqual(plainLines(stderr), []);
    assert.deepEqual(JSON.parse(stdout), {
      pid: daemon.pid,
      schedule: yearly,
      scripts: ["sync-discord"],
      listeners: ["link-server", "upsell-listener"],
      health: `http://127.0.0.1:${stage.healthPort}/healthz`,
    });
  });

  it(
    "is not ended by a wish to read its config again that comes while it starts",
    { skip: !isLinux },
    async (t) => {
      const stage = await setDaemonStage(t, { sync: yearly, platforms: ["matrix"] });
      const daemon = stage.startDaemon();
      const { pid } = daemon;
      // https://man7.org/linux/man-pages/man5/proc_pid_status.5.html: the lowest bit is that of SIGHUP.
      const listens = () => /^SigCgt:.*[13579bdf]$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
      await until("it listens to the signal", listens, daemon);
      assert.ok(!daemon.children().size && daemon.log() === "", "it has not begun");
      daemon.process.kill("SIGHUP");
      await until("it has read its config again", () => daemon.log().includes("nothing has changed"), daemon);
      assert.equal((await daemon.stop()).code, 143);
    },
  );

  it("ends where a backup is put in the place of its data, and is not well while the pages cannot be up", async (t) => {
    const stage = await setDaemonStage(t, { sync: "off", platforms: ["matrix"], pages: true });
    const squatter = createServer().listen(stage.linkPort, "127.0.0.1");
    t.after(() => squatter.close());
    await once(squatter, "listening");
    const daemon = stage.startDaemon();
    await until("it is not well", async () => (await daemon.health())?.status === 503, daemon);
    assert.deepEqual((await daemon.health())?.troubles, ["link-server failed 3 times in a row."]);
    assert.match(
      daemon.log(),
      /The link pages cannot be served at 127\.0\.0\.1, port \d+: another program listens there/,
    );

    cpSync(stage.dataDir, `${stage.dataDir}-backup`, { recursive: true });
    renameSync(stage.dataDir, `${stage.dataDir}-before`);
    renameSync(`${stage.dataDir}-backup`, stage.dataDir);
    assertToldOnStderr(await daemon.result, 75, /The data folder data was replaced .* Start it again\./s);
    assert.deepEqual(processesIn(stage), []);
  });

  it("takes everything with it when it is killed", async (t) => {
    const stage = await setDaemonStage(t, { sync: yearly, platforms: ["matrix"], pages: true });
    const hanging = { path: /subscribers/, fault: hangs(), struck: 0 };
    stage.town.fanvue.api.faults.push(hanging);
    const daemon = stage.startDaemon();
    await until("a sync is under way", () => hanging.struck > 0, daemon);
    await until("the pages are up", () => daemon.children().has("link-server"), daemon);
    const children = [...daemon.children().values()];
    assert.equal(children.length, 2);
    daemon.process.kill("SIGKILL");
    await daemon.result;
    await until("nothing is left", () => !children.some(isAlive));
    await until("no process works here", () => processesIn(stage).length === 0);
  });

  it("is not well while nothing can be synced, and well afterwards; a second signal ends all at once", async (t) => {
    const stage = await setDaemonStage(t, { sync: "* * * * * *", platforms: ["matrix"] });
    const { faults } = stage.town.fanvue.api;
    faults.push({ path: /./, fault: drops() });
    const daemon = stage.startDaemon();
    await until("it is up, and well so far", async () => (await daemon.health())?.status === 200, daemon);

    const elsewhere = join(stage.folder, "elsewhere");
    const refused = await stage.run("daemon", "--data", elsewhere);
    assert.deepEqual(plainLines(refused.stderr), []);
    assertToldOnStderr(refused, 75, new RegExp(`port ${stage.healthPort}: another program listens there`));

    await until("it is not well", async () => (await daemon.health())?.status === 503, daemon);
    faults.length = 0;
    await until("it is well again", async () => (await daemon.health())?.status === 200, daemon);

    assert.match(daemon.log(), /sync-matrix ended with exit code 0/);
    assert.doesNotMatch(daemon.log(), /Nothing to do/, "a quiet round is one line");

    const hanging = { path: /subscribers/, fault: hangs(), struck: 0 };
    faults.push(hanging);
    await until("a sync hangs", () => hanging.struck > 0, daemon);
    const [sync, ...others] = daemon.children().values();
    assert.ok(sync !== undefined && others.length === 0);
    // It hears nothing any more, not even that a test has failed.
    t.after(() => {
      if (isAlive(sync)) process.kill(sync, "SIGKILL");
    });
    process.kill(sync, "SIGSTOP");
    daemon.process.kill("SIGTERM");
    await until("it is about to end", () => daemon.log().includes("Stopping after the step"), daemon);
    assert.ok(isAlive(sync));
    // Of another kind: one of the same within a second would be an echo.
    const killedAtMs = performance.now();
    daemon.process.kill("SIGINT");
    assert.equal((await daemon.result).code, 130);
    assert.ok(performance.now() - killedAtMs < 10_000, "it does not wait for the sync");
    await until("nothing is left", () => !isAlive(sync));
  });

  describe("on a terminal", { skip: skipWithoutTerminal }, () => {
    /** A daemon that somebody started by npm, with a sync that hangs. */
    async function startByNpm(t: TestContext, after = "", before = "") {
      const stage = await setDaemonStage(t, { sync: yearly, platforms: ["matrix"] });
      const hanging = { path: /subscribers/, fault: hangs(), struck: 0 };
      stage.town.fanvue.api.faults.push(hanging);
      const saidPath = join(stage.folder, "said.log");
      const command = `${before}npm run --silent daemon -- --config '${join(stage.folder, "config.yaml")}' --data '${stage.dataDir}' ${after.replace("said.log", `'${saidPath}'`)}`;
      const terminal = startOnTerminal(command, {
        cwd: projectDir,
        env: { NODE_COMPILE_CACHE: compileCache },
      });
      t.after(() => {
        terminal.process.kill("SIGKILL");
        for (const { pid } of processesIn(stage)) process.kill(pid, "SIGKILL");
      });
      await until("a sync hangs", () => hanging.struck > 0);
      await until("it is up", async () => (await askHealth(stage.healthPort)) !== undefined);
      return { stage, terminal, said: () => readFileSync(saidPath, "utf8") };
    }

    it("takes one Ctrl-C for one, although npm passes it on", async (t) => {
      const { stage, terminal } = await startByNpm(t);
      const sync = processesIn(stage).find(({ command }) => command.includes("/scripts/sync-matrix.ts"));
      assert.ok(sync);
      // It takes its time to end, so that what npm passes on finds the daemon at work.
      process.kill(sync.pid, "SIGSTOP");
      terminal.type("\u0003");
      await until("it is about to end", () => terminal.written().includes("Stopping after"));
      await pause(200);
      process.kill(sync.pid, "SIGCONT");
      const { written } = await terminal.ended;
      assert.equal(written.split("Stopping after the step under way").length, 2, written);
      assert.match(written, /sync-matrix ended with exit code 143/, "the sync ended in order");
      assert.deepEqual(processesIn(stage), []);
    });

    it("ends when that is closed, also where nothing is shown on it", async (t) => {
      const { stage, terminal, said } = await startByNpm(t, "> said.log 2>&1");
      terminal.process.kill("SIGKILL");
      await until("nothing is left", () => processesIn(stage).length === 0);
      assert.match(said(), /sync-matrix ended with exit code 143/);
    });

    it("goes on when that is closed where it was started with nohup", async (t) => {
      const { stage, terminal, said } = await startByNpm(t, "> said.log 2>&1 < /dev/null", "nohup ");
      terminal.process.kill("SIGKILL");
      await until("the signal has come", () => said().includes("nothing has changed"));
      assert.notEqual(await askHealth(stage.healthPort), undefined);
    });
  });
});
