/** Preloaded into a script, puts its clock forward on a signal, and says so: by minutes, or by more than a week. */
const minuteMs = 60_000;
const steps = { SIGUSR2: 11 * minuteMs, SIGWINCH: 8 * 24 * 60 * minuteMs } as const;
const realNow = Date.now;
let aheadMs = 0;

Date.now = () => realNow() + aheadMs;
for (const signal of ["SIGUSR2", "SIGWINCH"] as const)
  process.on(signal, () => {
    aheadMs += steps[signal];
    process.stdout.write(`${String(aheadMs)} ms ahead\n`);
  });
