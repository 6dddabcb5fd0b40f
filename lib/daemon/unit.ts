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
  /** Whether there is such a user, and whether the data folder is theirs. */
  readonly isUser: boolean;
  readonly isOwner: boolean;
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

function userLines({ user, isUser, isOwner, ...place }: ServicePlace): readonly string[] {
  if (isOwner) return [];
  const make = `#   useradd --system --no-create-home --shell /usr/sbin/nologin ${user}`;
  return [
    "#",
    `# ${isUser ? "Before, give the user" : "Before, make a user for it alone, and give that user"} what it writes and reads:`,
    ...(isUser ? [] : [make]),
    `#   chown -R ${user}: ${shellWord(place.dataDir)}`,
    `#   chown ${user}: ${shellWord(place.configPath)}`,
    `# It must be able to read ${place.projectDir} and the address books beside the config, too: not below /root.`,
  ];
}

/** The unit, with what each part is for as comments. */
export function unitText(place: ServicePlace): string {
  const { projectDir, nodePath, daemonPath, configPath, dataDir, user } = place;
  const command = [nodePath, ...nodeOptions, daemonPath, "--config", configPath, "--data", dataDir];
  return [
    "# fanvue-sync as a service of systemd. To install it:",
    "#   npm run --silent service | sudo tee /etc/systemd/system/fanvue-sync.service",
    "#   sudo systemctl daemon-reload",
    "#   sudo systemctl enable --now fanvue-sync",
    "# Then: systemctl status fanvue-sync, journalctl -u fanvue-sync, and after a change of the config",
    "#   sudo systemctl reload fanvue-sync",
    ...userLines(place),
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
    "# It comes back after a crash, but not where the config cannot be used (2). Stopped by SIGTERM it ends with 143.",
    "Restart=on-failure",
    "RestartSec=10",
    "RestartPreventExitStatus=2",
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
