/** The log: pino to stderr, readable on a terminal, JSON lines elsewhere, and never a secret. */
import pino, { type Logger } from "pino";

/** Of no use elsewhere, where most runs are. */
const pretty = process.stderr.isTTY ? (await import("pino-pretty")).default : undefined;

export type Log = Logger;

/** Told of long work as it goes: what is being done, how much is done, and how much there is in all where that is known. */
export type Progress = (what: string, done: number, total: number | undefined) => void;

const secretKeys = [
  "token",
  "accessToken",
  "access_token",
  "refreshToken",
  "refresh_token",
  "clientSecret",
  "client_secret",
  "authorization",
  "authorization_code",
  "code_verifier",
  "cookie",
];
const redactedPaths = secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]);

export interface LogOptions {
  readonly name: string;
  /** Shows debug lines, too. */
  readonly verbose: boolean;
  /** Called before each line, to clear what stands in its way. */
  readonly beforeLine?: () => void;
}

const terminal = () =>
  pretty?.({
    destination: 2,
    sync: true,
    ignore: "pid,hostname,name,script",
    translateTime: "SYS:HH:MM:ss",
    // The daemon repeats what its scripts say.
    messageFormat: "{if script}{script}: {end}{msg}",
  });

/** Makes the log of one script: colour and words on a terminal, JSON elsewhere. */
export function createLog({ name, verbose, beforeLine = () => undefined }: LogOptions): Log {
  const stream = terminal() ?? pino.destination({ dest: 2, sync: true });
  // A full disk, or a terminal that was closed: what cannot be logged must not end the work that it tells of.
  stream.on("error", () => undefined);
  return pino(
    {
      name,
      level: verbose ? "debug" : "info",
      redact: { paths: redactedPaths, censor: "[secret]" },
      base: { name },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: {
        logMethod(words, write) {
          beforeLine();
          write.apply(this, words);
        },
      },
    },
    stream,
  );
}
