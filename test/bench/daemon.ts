/**
 * Measures the daemon when nothing happens: the memory of its processes at rest, and the processor time of an idle hour.
 * That hour is put together from two measurements: being there, over a minute without rounds, and a round in which nothing
 * has changed, the mean of three, of which an hour of the usual schedule has twelve. With --quick only the memory is
 * looked at. Linux only, by what the kernel keeps of each process: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
 */
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

import { scriptPath } from "../../lib/daemon/duties.ts";
import { scriptCommand } from "../../lib/run-script.ts";
import { scriptsUnder } from "../daemon-stage.ts";
import { freePort } from "../synapse/homeserver.ts";
import { install, type BenchInstallation } from "./installation.ts";
import { numberText } from "./table.ts";
import { buildWorld } from "./world.ts";

const fans = 1000;
const roundsAnHour = 12;
/** How long a daemon has to become quiet, and how long it is measured then. */
const settlingSeconds = 8;
const restSeconds = 60;
const rounds = 3;
/** Apart enough for a round to end before the next. */
const roundEverySeconds = 15;

export async function benchDaemon(isQuick: boolean): Promise<string> {
  if (!existsSync("/proc/self/stat")) return "Daemon: measured on Linux only.";
  const installation = await install(buildWorld(fans), "v1", {
    // Fanvue is read anew in each round, as after five minutes.
    snapshot_max_age: "0s",
    link: { port: await freePort() },
  });
  try {
    await installation.sync();
    return isQuick ? await quickLine(installation) : await wholeLine(installation);
  } finally {
    await installation.stop();
  }
}

async function quickLine(installation: BenchInstallation): Promise<string> {
  const daemon = await start(installation, "off");
  try {
    await until(() => scriptsUnder(daemon.pid).size === 2);
    await pause(1000);
    return `${memoryText(processesOf(daemon))}.`;
  } finally {
    await daemon.stop();
  }
}

async function wholeLine(installation: BenchInstallation): Promise<string> {
  const { share, memory } = await measureRest(installation);
  const roundSeconds = await measureRounds(installation, share);
  const beingThere = share * 3600;
  const sum = beingThere + roundsAnHour * roundSeconds;
  return (
    `${memory}. An idle hour takes ${numberText(sum, 1)} s of processor time: ` +
    `${numberText(beingThere, 1)} s for being there, and ${numberText(roundSeconds, 1)} s for each of ${String(roundsAnHour)} rounds.`
  );
}

interface Running {
  readonly pid: number;
  /** The port of its health page. */
  readonly port: number;
  stop(): Promise<void>;
}

/** As the service runs it. */
async function start(installation: BenchInstallation, sync: string): Promise<Running> {
  const { configPath, dataDir } = installation;
  const port = await freePort();
  installation.configure({ schedule: { sync, health_port: port } });
  const daemonPath = join(dirname(scriptPath("link-server")), "daemon.ts");
  const [node, ...words] = scriptCommand(daemonPath, ["--config", configPath, "--data", dataDir]);
  const child = spawn(node, words, { stdio: "ignore" });
  const end = () => void child.kill("SIGKILL");
  process.once("exit", end);
  return {
    pid: child.pid ?? 0,
    port,
    async stop() {
      process.off("exit", end);
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
    },
  };
}

// ---- At rest ----------------------------------------------------------------------------------------------------

/** Memory in words, and the share of one processor that all processes take together. */
async function measureRest(installation: BenchInstallation) {
  const daemon = await start(installation, "off");
  try {
    await until(() => scriptsUnder(daemon.pid).size === 2);
    await pause(settlingSeconds * 1000);
    const all = processesOf(daemon);
    const usedBefore = usedSeconds(all.values());
    const startedAtMs = performance.now();
    await pause(restSeconds * 1000);
    const used = usedSeconds(all.values()) - usedBefore;
    return { share: used / ((performance.now() - startedAtMs) / 1000), memory: memoryText(all) };
  } finally {
    await daemon.stop();
  }
}

const processesOf = ({ pid }: Running): ReadonlyMap<string, number> =>
  new Map([["daemon", pid], ...[...scriptsUnder(pid)].sort()]);

const memoryText = (all: ReadonlyMap<string, number>): string =>
  `Daemon at rest, ${numberText(fans)} fans: ${[...all].map(([name, pid]) => `${name} ${numberText(residentMegabytes(pid))} MB`).join(", ")}`;

// ---- Rounds -----------------------------------------------------------------------------------------------------

/** Seconds of processor time for one round: of the daemon, and of the scripts that it ran and that have ended. */
async function measureRounds(installation: BenchInstallation, restShare: number): Promise<number> {
  const daemon = await start(installation, `*/${String(roundEverySeconds)} * * * * *`);
  try {
    await nextRound(daemon);
    await pause(settlingSeconds * 1000);
    const before = usedSeconds([daemon.pid], "with children");
    const startedAtMs = performance.now();
    for (let round = 0; round < rounds; round += 1) await nextRound(daemon);
    const used = usedSeconds([daemon.pid], "with children") - before;
    const atRest = restShare * ((performance.now() - startedAtMs) / 1000);
    return Math.max(0, used - atRest) / rounds;
  } finally {
    await daemon.stop();
  }
}

/** Resolves once a round has ended that had not when this was called. */
async function nextRound({ port }: Running): Promise<void> {
  const last = async () => {
    const response = await fetch(`http://127.0.0.1:${String(port)}/healthz`).catch(() => undefined);
    return /"lastGoodRunEndedAt": "([^"]+)"[^}]*\}\s*\},\s*"listeners"/.exec(
      (await response?.text()) ?? "",
    )?.[1];
  };
  const before = await last();
  await until(async () => ![before, undefined].includes(await last()));
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAtMs = performance.now() + 120_000;
  while (!(await isSo())) {
    if (performance.now() > giveUpAtMs) throw new Error("the daemon did not do what was to be measured");
    await pause(250);
  }
}

// ---- What the kernel knows --------------------------------------------------------------------------------------

const ticksPerSecond = () => Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** User and system time of processes so far; with children: of those, too, that have ended. */
function usedSeconds(pids: Iterable<number>, which: "alone" | "with children" = "alone"): number {
  const ticks = [...pids].flatMap((pid) => {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, "utf8");
    // The name of the program, in parentheses, may hold blanks; from the state on, utime is the 12th field.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields.slice(11, which === "alone" ? 13 : 15).map(Number);
  });
  return ticks.reduce((sum, count) => sum + count, 0) / ticksPerSecond();
}

const residentMegabytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8"))?.[1]) / 1000;
