/** Syncs that a change of links asks for: which run, when again, and how they end. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import pino from "pino";
import { parseFanId, type Platform } from "../lib/ids.ts";
import { loadConfig } from "../lib/config/load.ts";
import { createFanSyncs, createOwnSyncs, type Wish } from "../lib/daemon/fan-syncs.ts";
import { runScript, type ScriptEnd } from "../lib/run-script.ts";
import { temporaryFolder } from "./harness.ts";

const fanAt = (index: number) => {
  const fan = parseFanId(`00000000-0000-4000-8000-${String(index).padStart(12, "0")}`);
  assert.ok(fan);
  return fan;
};
const [ana, bea, cleo] = [fanAt(1), fanAt(2), fanAt(3)];
const silent = pino({ level: "silent" });

/** Runs and pauses that end when the test says so. */
function start() {
  const stop = new AbortController();
  const runs: { readonly wish: Wish; end(end: ScriptEnd): void; fail(): void }[] = [];
  const pauses: { readonly pauseMs: number; end(): void }[] = [];
  const lines: string[] = [];
  const soon = createFanSyncs({
    log: pino({ level: "info" }, { write: (line: string) => void lines.push(line) }),
    signal: stop.signal,
    run(wish) {
      const { promise, resolve, reject } = Promise.withResolvers<ScriptEnd>();
      runs.push({
        wish,
        end: resolve,
        fail: () => {
          reject(new Error("no process"));
        },
      });
      return promise;
    },
    pause(pauseMs, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      pauses.push({
        pauseMs,
        end: () => {
          resolve(undefined);
        },
      });
      signal.addEventListener("abort", () => {
        reject(new Error("aborted"));
      });
      return promise.then(() => undefined);
    },
  });
  /** Lets what was begun go on as far as it can without us. */
  const settle = () => new Promise(setImmediate);
  const end = async (code: number | "killed") => {
    runs.at(-1)?.end(code === "killed" ? { signal: "SIGKILL" } : { code });
    await settle();
  };
  const begun = () => runs.map(({ wish }) => [wish.fan, wish.platform]);
  return { soon, stop, runs, pauses, lines, settle, end, begun };
}

describe("syncs that are asked for", { timeout: 10_000 }, () => {
  test("run one at a time, in turn", async () => {
    const { soon, end, begun } = start();
    soon.ask({ fan: ana, platform: "discord" });
    soon.ask({ fan: bea, platform: "matrix" });
    assert.deepEqual(begun(), [[ana, "discord"]]);
    await end(0);
    assert.deepEqual(begun(), [
      [ana, "discord"],
      [bea, "matrix"],
    ]);
    await end(0);
    await soon.idle();
    soon.ask({ fan: ana, platform: "discord" });
    assert.equal(begun().length, 3);
  });

  test("run once however often they are asked for before their turn; once more if it had begun", async () => {
    const { soon, end, begun } = start();
    soon.ask({ fan: ana, platform: "discord" });
    for (let times = 0; times < 3; times += 1) {
      soon.ask({ fan: ana, platform: "discord" });
      soon.ask({ fan: ana, platform: "matrix" });
    }
    await end(0);
    await end(0);
    await end(0);
    await soon.idle();
    assert.deepEqual(begun(), [
      [ana, "discord"],
      [ana, "discord"],
      [ana, "matrix"],
    ]);
  });

  test("wait ever longer while another run is busy, and let others go first; in the end they give up", async () => {
    const { soon, end, begun, pauses, lines, settle } = start();
    soon.ask({ fan: ana, platform: "discord" });
    soon.ask({ fan: bea, platform: "matrix" });
    await end(75);
    await end(0);
    assert.deepEqual(begun().at(-1), [bea, "matrix"]);
    for (let again = 0; again < 5; again += 1) {
      // A pause is on: another wish for the same changes nothing.
      soon.ask({ fan: ana, platform: "discord" });
      pauses[again]?.end();
      await settle();
      await end(75);
    }
    await soon.idle();
    assert.equal(begun().length, 7);
    const waits = pauses.map(({ pauseMs }) => pauseMs);
    assert.equal(waits.length, 5);
    assert.deepEqual(
      waits,
      waits.toSorted((a, b) => a - b),
    );
    assert.match(lines.join(""), /the regular sync will see to this fan/);
  });

  test("that fail, or cannot be started, hold up nobody, are told, and are tried again", async () => {
    const { soon, runs, end, settle, begun, pauses, lines } = start();
    for (const fan of [ana, bea, cleo]) soon.ask({ fan, platform: "discord" });
    runs[0]?.fail();
    await settle();
    await end(5);
    await end("killed");
    assert.match(lines.join(""), /could not be started/);
    assert.match(lines.join(""), /"code":5.*did not end in order; it is tried again in 15 s/);
    assert.equal(pauses.length, 3);
    for (const pause of pauses) pause.end();
    await settle();
    for (let times = 0; times < 3; times += 1) await end(0);
    await soon.idle();
    assert.deepEqual(
      begun().map(([fan]) => fan),
      [ana, bea, cleo, ana, bea, cleo],
    );
  });

  test("are not tried again where the operator has to mend something first", async () => {
    const { soon, end, pauses, lines } = start();
    soon.ask({ fan: ana, platform: "discord" });
    await end(2);
    await soon.idle();
    assert.equal(pauses.length, 0);
    assert.match(lines.join(""), /"level":40.*"code":2.*did not end in order"/);
  });

  test("are dropped where something else sees to them, save what is asked for anew meanwhile", async () => {
    const { soon, end, begun, pauses, settle } = start();
    for (const fan of [ana, bea, cleo]) soon.ask({ fan, platform: "discord" });
    await end(5);
    const waiting = soon.waiting();
    assert.equal(waiting.count, 2, "one has its turn, one waits, and one is to be tried again");
    soon.ask({ fan: cleo, platform: "discord" });
    waiting.drop();
    for (const pause of pauses) pause.end();
    await end(0);
    await settle();
    await end(0);
    await soon.idle();
    assert.deepEqual(
      begun().map(([fan]) => fan),
      [ana, bea, cleo],
    );
  });

  test("end with the server: nothing begins any more, and no pause is waited for", async () => {
    const { soon, stop, end, begun } = start();
    soon.ask({ fan: ana, platform: "discord" });
    await end(75);
    soon.ask({ fan: bea, platform: "discord" });
    soon.ask({ fan: cleo, platform: "discord" });
    stop.abort();
    await end("killed");
    soon.ask({ fan: ana, platform: "matrix" });
    await soon.idle();
    assert.deepEqual(
      begun().map(([fan]) => fan),
      [ana, bea],
    );
  });
});

describe("a script in a process of its own", { timeout: 60_000 }, () => {
  const stubborn = join(import.meta.dirname, "children", "stubborn.ts");

  /** Starts it; `up` is its process id, once it is up. */
  function startStubborn(args: readonly string[], graceMs: number) {
    const stop = new AbortController();
    const lines: string[] = [];
    const up = Promise.withResolvers<number>();
    const write = (line: string) => {
      lines.push(line);
      const pid = /up (\d+)/.exec(line)?.[1];
      if (pid !== undefined) up.resolve(Number(pid));
    };
    const log = pino({ level: "info", base: {} }, { write });
    return {
      stop,
      lines,
      up: up.promise,
      ended: runScript(stubborn, args, { log, signal: stop.signal, graceMs }),
    };
  }
  const isAlive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  test("is asked to end, and its words are in the log by their level", async () => {
    const { stop, up, ended, lines } = startStubborn([], 60_000);
    const pid = await up;
    stop.abort();
    assert.deepEqual(await ended, { code: 4 });
    assert.equal(isAlive(pid), false);
    assert.match(lines.join(""), /"level":50,.*"msg":"an error of it"/);
    assert.match(lines.join(""), /"level":40,.*"msg":"a sentence of it"/);
    assert.match(lines.join(""), /"level":30,.*"msg":"up /);
  });

  test("is made to where it does not listen", async () => {
    const { stop, up, ended, lines } = startStubborn(["deaf"], 500);
    const pid = await up;
    stop.abort();
    assert.deepEqual(await ended, { signal: "SIGKILL" });
    assert.equal(isAlive(pid), false);
    assert.match(lines.join(""), /"level":30,.*"msg":"not now"/, "that it is stopped is no trouble");
  });

  test("does not begin after the end", async () => {
    const options = { log: silent, signal: AbortSignal.abort() };
    assert.deepEqual(await runScript(stubborn, [], options), { trouble: "it was to end before it began" });
  });

  test("that cannot be started is told as its end, and harms nobody else", async () => {
    const options = { log: silent, signal: new AbortController().signal, configText: "limits:" };
    // https://man7.org/linux/man-pages/man2/execve.2.html: no word may have more than 128 KiB.
    const end = await runScript(stubborn, ["x".repeat(3 * 1024 ** 2)], options);
    assert.ok("trouble" in end && end.trouble.includes("E2BIG"), JSON.stringify(end));
    const { status, stdout, stderr } = spawnSync(
      "sh",
      [
        "-c",
        'ulimit -n 40; exec "$0" "$1"',
        process.execPath,
        join(import.meta.dirname, "children", "no-files.ts"),
      ],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, stderr);
    const [without, withFiles] = stdout.trimEnd().split("\n");
    assert.match(without ?? "", /"trouble":"spawn .* EMFILE"/);
    assert.equal(withFiles, '{"code":4}');
  });

  for (const platform of ["discord", "matrix"] satisfies Platform[]) {
    test(`is sync-${platform}, with the server's own config`, async (t) => {
      const folder = temporaryFolder(t);
      const configPath = join(folder, "links.yaml");
      const fanvue = ["client_id", "client_secret"].map((key) => `  ${key}: "x"\n`).join("");
      writeFileSync(configPath, `fanvue:\n${fanvue}  redirect_uri: http://localhost:8080/callback\n`);
      chmodSync(configPath, 0o600);
      const lines: string[] = [];
      const soon = createOwnSyncs({
        config: loadConfig(configPath, {}),
        dataDir: join(folder, "data"),
        log: pino({ level: "info" }, { write: (line: string) => void lines.push(line) }),
        signal: new AbortController().signal,
      });
      soon.ask({ fan: ana, platform });
      await soon.idle();
      const said = lines.join("");
      assert.match(said, new RegExp(`The config has no ${platform} section`));
      assert.match(said, /synced after a change of links/);
    });
  }
});
