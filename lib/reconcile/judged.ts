/** Of which places a run can tell what holds there now. */
import type { PlaceId } from "../ids.ts";
import { isPartial, type Job } from "./job.ts";
import type { Planned } from "./make-plan.ts";

/** The places that were read, rooms that go with spaces included; none where what decides on them was not read whole. */
export function judgedPlaces(job: Pick<Job, "fan">, { have, unreadable }: Seen): ReadonlySet<PlaceId> {
  if (job.fan !== undefined || unreadable.size > 0) return new Set();
  return new Set(
    [...have.values()].flatMap((state) =>
      "unreadable" in state ? [] : [state.placeId, ...(state.rooms ?? []).map(({ placeId }) => placeId)],
    ),
  );
}

/** Whether that is all places of the target. */
export const judgesAll = (job: Job, { have, unreadable }: Seen): boolean =>
  !isPartial(job) && unreadable.size === 0 && [...have.values()].every((state) => !("unreadable" in state));

type Seen = Pick<Planned, "have" | "unreadable">;
