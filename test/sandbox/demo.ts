/**
 * Shows what fanvue-sync does, without any account: `npm run demo`. Takes less than a minute and leaves nothing behind.
 *
 * Exit: 0 all as it should be, 1 the services do not hold what they should or nobody reads on, 129, 130 or 143 stopped by a
 * signal.
 */
import { Mismatch } from "./demo-watch.ts";
import { openStage, type Stage } from "./demo-stage.ts";
import { tellStory } from "./demo-story.ts";

const signalCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** Somebody wants it to end; `reason` of the signal is the exit code. */
function listenForEnd(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(name, () => {
      controller.abort(signalCodes[name]);
    });
  // Whoever reads the output has gone, as `head` does.
  process.stdout.on("error", () => {
    controller.abort(1);
  });
  return controller.signal;
}

async function perform(stage: Stage): Promise<void> {
  const { faults, held } = await tellStory(stage);
  const { letIn, takenOut, harmed } = stage.watch.counts();
  const counts = [
    `${String(letIn)} fans let in`,
    `${String(takenOut)} taken out`,
    `${String(harmed)} harmed by ${String(faults)} faults`,
    `${String(held)} removals held for approval`,
  ];
  stage.say("Your own accounts come next: the README tells how, step by step.", "");
  process.stdout.write(`demo: ${counts.join(", ")}\n`);
}

const end = listenForEnd();
const stage = await openStage(end);
try {
  await perform(stage);
} catch (error) {
  if (!end.aborted && !(error instanceof Mismatch)) throw error;
  process.exitCode = end.aborted ? Number(end.reason) : 1;
  if (error instanceof Mismatch) process.stdout.write(`\n${error.message}\ndemo: failed\n`);
} finally {
  await stage.close();
}
