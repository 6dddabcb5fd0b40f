/** The daemon as a service of systemd: the unit with this machine's paths. https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html */
import { nodeOptions } from "../run-script.ts";

export interface ServicePlace {
  /** Absolute, as all paths here: where the project lies. */
  readonly projectDir: string;
  readonly nodePath: string;
  readonly daemonPath: string;
  readonly configPath: string;
  readonly dataDir: string;
  /** Who runs it. */
  readonly user: string;
}

/** A value in which nothing but % means something: https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html#Specifiers */
const plain = (text: string): string => text.replaceAll("%", "%%");

/** One word of a list: https://www.freedesktop.org/software/systemd/man/latest/systemd.syntax.html#Quoting */
const word = (text: string): string =>
  /^[\w@/.:,+=%-]+$/.test(text)
    ? plain(text)
    : `"${plain(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;

/** One word of a command, in which $ stands for variables, too. */
const argument = (text: string): string => word(text.replaceAll("$", "$$$$"));

/** For a shell. */
export const shellWord = (text: string): string =>
  /^[\w@/.:,+=%-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** systemd refuses some characters in the path of a program, however they are written; a shell takes them. */
const byShell = ["/bin/sh", "-c", 'exec "$0" "$@"'];
const starterOf = (nodePath: string): readonly string[] => (/["'\\$]/.test(nodePath) ? byShell : []);

/** The unit, with what each part is for as comments, and `steps` on how to set it up. */
export function unitText(place: ServicePlace, steps: readonly string[]): string {
  const { projectDir, nodePath, daemonPath, configPath, dataDir, user } = place;
  const node = [...starterOf(nodePath), nodePath, ...nodeOptions];
  const command = [...node, daemonPath, "--config", configPath, "--data", dataDir];
  return [
    "# fanvue-sync as a service of systemd. To set it up:",
    ...steps.map((step, index) => `#   ${index + 1}. ${step}`),
    "# Its log: journalctl -u fanvue-sync. After a change of the config: systemctl reload fanvue-sync",
    "",
    "[Unit]",
    "Description=fanvue-sync: what Fanvue fans paid for, on Discord and Matrix",
    "Wants=network-online.target",
    "After=network-online.target",
    "",
    "[Service]",
    "Type=exec",
    `User=${user}`,
    `WorkingDirectory=${plain(projectDir)}`,
    `ExecStart=${command.map(argument).join(" ")}`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    "# Where the config takes values from the environment, write them as NAME=value into a file of root's:",
    "#EnvironmentFile=/etc/fanvue-sync.env",
    "",
    "# It comes back after a crash, so seldom that systemd never gives up on it, but not where the config cannot be used (2).",
    "# Stopped by SIGTERM it ends with 143. A reload that comes too early ends it by SIGHUP, which systemd would take for a wish.",
    "Restart=on-failure",
    "RestartSec=30",
    "RestartPreventExitStatus=2",
    "RestartForceExitStatus=SIGHUP",
    "SuccessExitStatus=143",
    "# The daemon itself is asked to end, and gives what it runs 30 seconds.",
    "KillMode=mixed",
    "TimeoutStopSec=45",
    "",
    "# It sees a system that it cannot change, and writes its data folder only.",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    `ReadWritePaths=${word(dataDir)}`,
    "UMask=0077",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectControlGroups=yes",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "",
    "# It talks to the network, and needs no power of the system's.",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "NoNewPrivileges=yes",
    "CapabilityBoundingSet=",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "LockPersonality=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "# Not MemoryDenyWriteExecute: Node compiles JavaScript while it runs, into memory that it writes and then executes.",
    "",
    "[Install]",
    "WantedBy=multi-user.target",
  ].join("\n");
}
