/** Starts the processes of this folder and reads what they say, line by line. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

export interface Child {
  readonly process: ChildProcess;
  /** Its lines; ends with the process. */
  readonly lines: AsyncIterator<string, undefined>;
  /** Fulfilled when the process is gone and its output read. */
  readonly closed: Promise<unknown>;
}

/** Starts `test/children/NAME.ts`; it is killed when the test ends. */
export function startChild(
  test: { after(fn: () => Promise<void>): void },
  name: string,
  args: readonly string[],
): Child {
  const script = join(import.meta.dirname, `${name}.ts`);
  const child = spawn(process.execPath, [script, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const closed = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  test.after(async () => {
    child.kill("SIGKILL");
    await closed;
  });
  return { process: child, lines, closed };
}

/** The next line of a child; undefined once it has ended. */
export async function nextLine(child: Child): Promise<string | undefined> {
  const { value } = await child.lines.next();
  return value;
}

/** Kills a child as the kernel would when memory runs out, and waits until it is gone. */
export async function killChild(child: Child): Promise<void> {
  child.process.kill("SIGKILL");
  await child.closed;
}
