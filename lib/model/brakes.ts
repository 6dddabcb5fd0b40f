/** What the brakes go by, what they hold, and what an approval of it accepts. */
import type { SourceSize } from "../facts.ts";
import type { PlaceId } from "../ids.ts";
import type { Step } from "../model.ts";

/** Brakes; all figures may only be set stricter or looser by the operator here, per installation. */
export interface Limits {
  /** Share of a place that may be removed in a rolling 24 h. Default 0.2 */
  readonly maxRemovalShare: number;
  /** Removals that are always allowed in 24 h. Per place 2, per target 5. */
  readonly minRemovalsPerPlace: number;
  readonly minRemovalsPerTarget: number;
  /** Factor k of k·√n. Default 2 */
  readonly removalRootFactor: number;
  /** A source that shrank by this share and by `minSourceDrop` rows holds removals. Defaults 0.3 and 5 */
  readonly maxSourceDropShare: number;
  readonly minSourceDrop: number;
}

/** What a step is known by from run to run. */
export type StepIdentity = Pick<Step, "verb" | "placeId" | "account">;

/** A set of steps that wait for approval. */
export interface Held {
  /** Twelve hexadecimal digits over what is held and why. */
  readonly hash: string;
  readonly steps: readonly Step[];
  /** One sentence with numbers per limit or change that holds them. */
  readonly reasons: readonly string[];
}

/** What an approval accepts beside its steps: changed places as they are now, and sources at the size they shrank to. */
export interface Accepts {
  readonly rules: readonly {
    readonly configuredId: string;
    readonly placeId: PlaceId;
    readonly hash: string;
  }[];
  readonly sizes: readonly SourceSize[];
}
