import type { Limits } from "../../lib/model/brakes.ts";

/** What holds where the config says nothing. */
export const defaultLimits: Limits = {
  maxRemovalShare: 0.2,
  minRemovalsPerPlace: 2,
  minRemovalsPerTarget: 5,
  removalRootFactor: 2,
  maxSourceDropShare: 0.3,
  minSourceDrop: 5,
};
