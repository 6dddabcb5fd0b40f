/**
 * Does everything by itself: syncs at the times of schedule.sync (every five minutes), keeps link-server and
 * upsell-listener up where the config has link pages and a Discord server, and syncs whoever is newly linked within
 * seconds. Runs until it is stopped.
 *
 *   npm run daemon                                  go on until Ctrl-C or SIGTERM; what is under way has 30 s to end
 *   npx tsx scripts/daemon.ts --config other.yaml   with another config
 *   npx tsx scripts/daemon.ts --json                print at the start, as one line of JSON, what it is going to do
 *   kill -HUP PID                                   read the config again; a faulty one changes nothing
 *
 * The config counts as it was accepted last, whatever stands in the file meanwhile. With schedule.health_port it says at
 * http://127.0.0.1:PORT/healthz how it is: 200, or 503 with the reasons, such as a script that had no good run since three
 * times of the schedule have come.
 *
 * Exit: 1 a bug; 2 bad options or config; 75 it cannot be now, and may be tried again: another daemon has this data folder,
 * the health port is taken, the disk is full or read-only, or the data folder was replaced; 130 or 143 when it was stopped.
 */
import { onHangUp } from "../lib/hang-up.ts";

// After it: to load all of this takes a second, in which a signal would end the process.
const { command } = await import("../lib/cli.ts");
const { startDaemon } = await import("../lib/daemon/daemon.ts");
const { describeDuties, dutiesJson } = await import("../lib/daemon/duties.ts");
const { BusyError, exitCodes } = await import("../lib/errors.ts");
const { lockPath, watchLockFile, withLock } = await import("../lib/lock.ts");
const { runScript } = await import("../lib/run-script.ts");

await command({
  name: "daemon",
  summary: "Syncs by the clock, and keeps the link pages and the Discord listener up.",
  options: {},
  tells: "log",
  run({ config: { path: configPath }, dataDir, options, log, signal, print }) {
    const busy = () =>
      new BusyError(
        `Another daemon is running with the data folder ${dataDir}.`,
        "Let that one go on, or end it first.",
      );
    const lock = lockPath(dataDir, "daemon");
    return withLock(lock, { waitMs: 0, busy }, async () => {
      const daemon = await startDaemon({
        configPath,
        dataDir,
        ownsFolder: watchLockFile(lock),
        environment: process.env,
        scriptArgs: options.verbose ? ["--verbose"] : [],
        run: runScript,
        random: Math.random,
        log,
        signal,
      });
      onHangUp(() => void daemon.reload());
      if (options.json) print(JSON.stringify({ pid: process.pid, ...dutiesJson(daemon.config) }));
      if (!signal.aborted)
        log.info([`The daemon is up (process ${process.pid}).`, ...describeDuties(daemon.config)].join("\n"));
      await daemon.ended;
      return exitCodes.inOrder;
    });
  },
});
