/**
 * A process that logs and prints a line, and then lives on: until it is asked to end, or, with "deaf", until it is made to.
 *   node test/children/stubborn.ts [deaf]
 */
process.on("SIGTERM", () => {
  if (process.argv[2] === "deaf") process.stderr.write("not now\n");
  else process.exit(4);
});
setInterval(() => undefined, 60_000);
process.stderr.write(`${JSON.stringify({ level: 50, msg: "an error of it" })}\na sentence of it\n`);
process.stdout.write(`up ${String(process.pid)}\n`);
