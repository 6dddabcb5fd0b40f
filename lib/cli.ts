/**
 * What all scripts share: options and help, the log, progress on a terminal, signals, and the way from an error to a
 * sentence and an exit code.
 */
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { loadConfig, parseConfig } from "./config/load.ts";
import type { Config } from "./config/shape.ts";
import { BadInputError, exitCodes, type ExitCode, OperatorError } from "./errors.ts";
import { createLog, type Log, type Progress } from "./log.ts";
import { nearest } from "./nearest.ts";
import { findParent, readHandedConfig } from "./parent.ts";
import { listenForSignals } from "./signals.ts";

export interface Option {
  readonly type: "string" | "boolean";
  readonly multiple?: boolean;
  /** What stands for the value in the help, such as PATH. */
  readonly value?: string;
  readonly description: string;
}
export type OptionTable = Readonly<Record<string, Option>>;
export type OptionValues<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends { type: "boolean" }
    ? boolean
    : Table[Name] extends { multiple: true }
      ? readonly string[]
      : string | undefined;
};

const commonOptions = {
  config: { type: "string", value: "PATH", description: "the config file (default config.yaml)" },
  data: { type: "string", value: "DIR", description: "the folder of database and tokens (default data)" },
  json: { type: "boolean", description: "print one JSON document instead of text" },
  verbose: { type: "boolean", description: "tell more while working" },
  help: { type: "boolean", description: "show this help" },
} as const satisfies OptionTable;

type Values<Table extends OptionTable> = OptionValues<Table> & OptionValues<typeof commonOptions>;

export interface Context<Table extends OptionTable> {
  readonly options: Values<Table>;
  readonly positionals: readonly string[];
  readonly config: Config;
  readonly dataDir: string;
  readonly log: Log;
  /** Aborted by the first SIGINT or SIGTERM, or when the daemon that runs the script is gone: finish the step under way, close the journal, return. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
  readonly print: (text: string) => void;
}

export interface Command<Table extends OptionTable> {
  readonly name: string;
  /** One sentence for the help. */
  readonly summary: string;
  readonly options: Table;
  /** Shown behind the name in the help where the script takes words beside options, such as "add FAN ACCOUNT". */
  readonly words?: readonly string[];
  /** How it says what went wrong: default "sentence"; "log" for one whose output is a log, in which each line is a document. */
  readonly tells?: "sentence" | "log";
  /** Returns the exit code. What it throws becomes a sentence (an OperatorError) or a stack (a bug). */
  run(context: Context<Table>): Promise<ExitCode>;
}

/** Runs a script from its options to its exit code; sets `process.exitCode` and leaves the exit to Node, so that piped output arrives whole. */
export async function command<const Table extends OptionTable>(script: Command<Table>): Promise<void> {
  const signals = listenForSignals(script.name);
  try {
    process.exitCode = await start(script, signals.signal);
  } catch (error) {
    process.exitCode = tell(script, error, signals.signal);
  } finally {
    const received = signals.stop();
    if (received !== undefined) process.exitCode = 128 + received;
  }
}

async function start<const Table extends OptionTable>(
  script: Command<Table>,
  signal: AbortSignal,
): Promise<ExitCode> {
  const table = { ...script.options, ...commonOptions };
  const { options, positionals } = parse(script, table);
  const write = (text: string) => void process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  if (options.help) {
    write(helpText(script, table));
    return exitCodes.inOrder;
  }
  const bar = process.stderr.isTTY ? progressBar() : undefined;
  const log = createLog({
    name: script.name,
    verbose: options.verbose,
    ...(bar === undefined ? {} : { beforeLine: bar.stop }),
  });
  const progress = bar ?? progressLines(log);
  try {
    return await script.run({
      options,
      positionals,
      config: configAt(options.config ?? "config.yaml"),
      dataDir: options.data ?? "data",
      log,
      signal,
      progress: progress.show,
      print(text) {
        progress.stop();
        write(text);
      },
    });
  } finally {
    progress.stop();
  }
}

/** What stands in the file, or what the daemon has accepted of it, which has told of what is odd in it. */
function configAt(path: string): Config {
  const text = readHandedConfig();
  if (text === undefined) return loadConfig(path, process.env);
  return { ...parseConfig({ text, mode: 0 }, path, process.env), warnings: [] };
}

// ---- Options ----------------------------------------------------------------------------------------------------

function parse<Table extends OptionTable>(
  script: Command<Table>,
  table: Table & typeof commonOptions,
): { options: Values<Table>; positionals: readonly string[] } {
  const args = process.argv.slice(2);
  const { tokens, positionals } = parseArgs({
    args,
    options: Object.fromEntries(
      Object.entries<Option>(table).map(([name, { type, multiple }]) => [
        name,
        { type, multiple: multiple ?? false },
      ]),
    ),
    strict: false,
    tokens: true,
  });
  const given = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const values = given.get(token.name) ?? [];
    given.set(token.name, [...values, optionValue(script.name, table, token)]);
  }
  if (script.words === undefined && positionals[0] !== undefined) {
    throw new BadInputError(
      `"${positionals[0]}" is not understood: this takes options only.`,
      helpRemedy(script.name),
    );
  }
  const values = Object.entries<Option>(table).map(([name, option]) => [
    name,
    valueOf(option, given.get(name)),
  ]);
  // The table's types say which shape each value has; parseArgs cannot express it for a table made of two.
  return { options: Object.fromEntries(values) as Values<Table>, positionals };
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

/** Checks one option as typed; a switch gives "". */
function optionValue(script: string, table: OptionTable, token: OptionToken): string {
  const option = table[token.name];
  if (option === undefined) {
    const near = nearest(token.name, Object.keys(table));
    const guess = near === undefined ? "" : ` Did you mean --${near}?`;
    throw new BadInputError(`There is no option ${token.rawName}.${guess}`, helpRemedy(script));
  }
  if (option.type === "boolean") {
    if (token.value === undefined) return "";
    throw new BadInputError(`--${token.name} takes no value.`, `Write --${token.name} alone.`);
  }
  if (
    token.value === undefined ||
    token.value === "" ||
    (token.inlineValue !== true && token.value.startsWith("--"))
  ) {
    throw new BadInputError(
      `--${token.name} needs a value.`,
      `Write --${token.name} ${option.value ?? "VALUE"} (${option.description}).`,
    );
  }
  return token.value;
}

function valueOf(
  option: Option,
  given: readonly string[] | undefined,
): boolean | string | readonly string[] | undefined {
  if (option.type === "boolean") return given !== undefined;
  if (option.multiple === true) return given ?? [];
  return given?.at(-1);
}

const helpRemedy = (script: string) => `See what it takes: npx tsx scripts/${script}.ts --help`;

function helpText<Table extends OptionTable>(script: Command<Table>, table: OptionTable): string {
  const rows = Object.entries(table).map(([name, option]) => ({
    left: `  --${name}${option.type === "string" ? ` ${option.value ?? "VALUE"}` : ""}`,
    right: `${option.description}${option.multiple === true ? " (may be repeated)" : ""}`,
  }));
  const width = Math.max(...rows.map(({ left }) => left.length)) + 2;
  const usages = (script.words ?? [""]).map((words) =>
    `  npx tsx scripts/${script.name}.ts ${words}`.trimEnd(),
  );
  return [
    script.summary,
    "",
    "Usage:",
    ...usages,
    "",
    "Options:",
    ...rows.map(({ left, right }) => left.padEnd(width) + right),
    "",
    "Exit codes: 0 in order, 1 a bug, 2 bad options or config, 3 removals newly held, 4 a step failed or a place was",
    "unreadable, 5 the source could not be read, 75 not now: another run is busy, or the disk is full.",
  ].join("\n");
}

// ---- Errors, progress -------------------------------------------------------------------------------------------

/** Says what went wrong on stderr and gives the exit code. The daemon's log is that of all that it runs. */
function tell<Table extends OptionTable>(
  { name, tells = "sentence" }: Command<Table>,
  error: unknown,
  signal: AbortSignal,
): ExitCode {
  const isLogged = (tells === "log" && !process.stderr.isTTY) || findParent() !== undefined;
  const log = isLogged ? createLog({ name, verbose: false }) : undefined;
  if (error instanceof OperatorError) {
    const sentences = `${error.message}\n${error.remedy}`;
    if (log === undefined) process.stderr.write(`${name}: ${sentences}\n`);
    else log[error === signal.reason ? "info" : "error"](sentences);
    return error.exitCode;
  }
  const bug = "this is a bug in fanvue-sync, please report it";
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (log === undefined) process.stderr.write(`${name}: ${bug}:\n${stack}\n`);
  else log.error(`${bug}: ${stack}`);
  return exitCodes.bug;
}

const logPauseMs = 10_000;

interface ProgressShown {
  readonly show: Progress;
  /** Takes it off the screen; what is shown next begins anew. */
  readonly stop: () => void;
}

const barFormats = {
  total: "{what} {bar} {value}/{total} · about {eta_formatted} left",
  noTotal: "{what} {value}",
} as const;

/**
 * For a terminal. When it is stopped, the cursor returns to where the bar began: nothing else may be written while it
 * stands, and there is never more than one.
 */
function progressBar(): ProgressShown {
  let shown: { readonly what: string; readonly format: string; readonly bar: SingleBar } | undefined;
  const stop = () => {
    shown?.bar.stop();
    shown = undefined;
  };
  return {
    show(what, done, total) {
      const format = total === undefined ? barFormats.noTotal : barFormats.total;
      if (shown?.what !== what || shown.format !== format) {
        stop();
        shown = { what, format, bar: startBar(format, { what, done, total }) };
      }
      shown.bar.setTotal(total ?? done);
      shown.bar.update(done, { what });
    },
    stop,
  };
}

interface Amount {
  readonly what: string;
  readonly done: number;
  readonly total: number | undefined;
}

function startBar(format: string, { what, done, total }: Amount): SingleBar {
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    clearOnComplete: true,
    linewrap: true,
    // A second Ctrl-C must end the process, also while a bar stands; it would leave the cursor hidden.
    gracefulExit: false,
    hideCursor: false,
  });
  bar.start(total ?? done, done, { what });
  return bar;
}

/** Elsewhere: a log line now and then. */
function progressLines(log: Log): ProgressShown {
  let nextAtMs = Date.now() + logPauseMs;
  return {
    show(what, done, total) {
      if (Date.now() < nextAtMs) return;
      nextAtMs = Date.now() + logPauseMs;
      log.info({ done, total }, what);
    },
    stop: () => undefined,
  };
}
