/** Loaded into a measured script: writes what the process used into the file that BENCH_USAGE names when it exits. */
import { writeFileSync } from "node:fs";

process.on("exit", () => {
  const path = process.env["BENCH_USAGE"];
  if (path !== undefined) writeFileSync(path, JSON.stringify(process.resourceUsage()));
});
