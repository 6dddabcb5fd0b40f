/** The stage of the demo: a town, a temporary installation, and scripts that are run in it for everybody to see. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { styleText } from "node:util";

import { startScript, type ScriptResult } from "../harness.ts";
import { Mismatch, watch, type Watch } from "./demo-watch.ts";
import { startTown, writeInstallation, type Town } from "./town.ts";

export interface Stage {
  readonly town: Town;
  readonly watch: Watch;
  /** Of a file of the installation, such as config.yaml or data. */
  readonly pathOf: (name: string) => string;
  readonly headline: (text: string) => void;
  /** Paragraphs are broken into lines of 80; those that begin with a space are left as they are. */
  readonly say: (...paragraphs: readonly string[]) => void;
  /** Shows a command and its output. Throws a Mismatch when it ends with another exit code. */
  readonly run: RunScript;
  /** The same without showing it. */
  readonly runUnseen: RunScript;
  /** Replaces a piece of config.yaml. */
  readonly edit: (from: string, to: string) => void;
  /** Stops the town and removes the folder. */
  readonly close: () => Promise<void>;
}
type RunScript = (script: string, args: readonly string[], exitCode: number) => Promise<ScriptResult>;

type Style = Parameters<typeof styleText>[0];

const write = (text: string) => void process.stdout.write(text);
/** Plain where the output is no terminal, or wants no colours. */
const styled = (style: Style, text: string) => styleText(style, text, { stream: process.stdout });
/** Between words, so that no line is longer than 80. */
const broken = (text: string) => text.replaceAll(/(.{1,80})(?: |$)/g, "$1\n").trimEnd();
const commandOf = (script: string, args: readonly string[]) =>
  ["npm run", script, ...(args.length === 0 ? [] : ["--", ...args])].join(" ");

function show(text: string): void {
  const lines = text.trimEnd();
  if (lines !== "") write(`${lines.replaceAll(/^/gm, styled("dim", "  │ "))}\n`);
}

/** Config, address books and token, laid out as a creator has them. */
function install(town: Town, folder: string): void {
  writeInstallation(town, folder);
  mkdirSync(join(folder, "data"), { mode: 0o700 });
  renameSync(join(folder, "fanvue-token.json"), join(folder, "data", "fanvue-token.json"));
}

/** Sets the stage. `signal` stops the script under way and makes `run` throw. */
export async function openStage(signal: AbortSignal): Promise<Stage> {
  const town = await startTown();
  const folder = mkdtempSync(join(tmpdir(), "fanvue-sync-demo-"));
  install(town, folder);
  const watched = watch(town);
  const configPath = join(folder, "config.yaml");

  async function runUnseen(script: string, args: readonly string[], exitCode: number): Promise<ScriptResult> {
    signal.throwIfAborted();
    const running = startScript(script, args, { cwd: folder });
    const kill = () => running.process.kill("SIGKILL");
    signal.addEventListener("abort", kill);
    const result = await running.result;
    signal.removeEventListener("abort", kill);
    signal.throwIfAborted();
    watched.look();
    if (result.code === exitCode) return result;
    const codes = `exit code ${String(result.code)} where ${String(exitCode)} was expected`;
    throw new Mismatch(`${commandOf(script, args)} ended with ${codes}:\n${result.stdout}${result.stderr}`);
  }

  return {
    town,
    watch: watched,
    pathOf: (name) => join(folder, name),
    headline(text) {
      write(`\n${styled("bold", text)}\n${styled("dim", "─".repeat(text.length))}\n`);
    },
    say(...paragraphs) {
      write(paragraphs.map((text) => `${text.startsWith(" ") ? text : broken(text)}\n`).join(""));
    },
    async run(script, args, exitCode) {
      write(`${styled("cyan", `$ ${commandOf(script, args)}`)}\n`);
      const result = await runUnseen(script, args, exitCode);
      show(result.stderr);
      show(result.stdout);
      write(`${exitCode === 0 ? "" : `${styled("dim", `  exit code ${String(exitCode)}`)}\n`}\n`);
      return result;
    },
    runUnseen,
    edit(from, to) {
      const text = readFileSync(configPath, "utf8");
      if (!text.includes(from)) throw new Error(`config.yaml has no ${from}`);
      writeFileSync(configPath, text.replace(from, to));
    },
    async close() {
      rmSync(folder, { recursive: true, force: true });
      await town.stop();
    },
  };
}
