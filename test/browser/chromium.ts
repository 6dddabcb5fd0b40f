/** Chromium as it is installed on this machine, without a window. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

/** What it is called by Debian, by others, and by Google. */
const names = ["chromium", "chromium-browser", "google-chrome"];

/** Its path; undefined: there is none in PATH. */
function findChromium(): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Why there is no browser to start, in a sentence; undefined where there is one. */
export function whyMissing(): string | undefined {
  if (findChromium() !== undefined) return undefined;
  return "Chromium, the browser of these tests, is not installed: `npm run test:setup` installs it, or says how.";
}

/** Starts it with a profile of its own, which is gone when it is closed; it talks to nobody but the pages' servers. */
export function startChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error(whyMissing());
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    ],
  });
}
