/** What the platforms say of a config before its first sync: places that cannot be managed, and doors that stand open. Reads only. */
import type { Config } from "./config/shape.ts";
import { OperatorError } from "./errors.ts";
import type { Log } from "./log.ts";
import type { Place, PlaceState, Reason } from "./model.ts";
import type { RoleHolders, Target } from "./target.ts";

/** One platform: its places as they are, or why it could not be asked at all. */
export interface PlatformCheck {
  readonly platform: "Discord" | "Discord (for lists)" | "Matrix";
  readonly places: ReadonlyMap<Place, PlaceState>;
  readonly trouble: Reason | undefined;
  /** What concerns the platform as a whole, a sentence each. */
  readonly warnings: readonly string[];
}

/** Reads all places of a config on their platforms. Sends nothing that changes anything; throws only when aborted. */
export async function checkOnline(
  { discord, matrix, mirrors }: Pick<Config, "discord" | "matrix" | "mirrors">,
  deps: { readonly log: Log; readonly signal: AbortSignal },
): Promise<readonly PlatformCheck[]> {
  const checks: PlatformCheck[] = [];
  // The libraries of the platforms are large, and a check that stays offline starts twice as fast without them.
  if (discord !== undefined) {
    const { openDiscord } = await import("./discord/target.ts");
    checks.push(await check("Discord", openDiscord(discord, deps), discord.places));
  }
  if (discord !== undefined && mirrors.length > 0) {
    const { openRoleHolders } = await import("./discord/holders.ts");
    const holders = openRoleHolders(discord, deps);
    checks.push(await check("Discord (for lists)", { read: () => readMirrored(holders, mirrors) }, mirrors));
  }
  if (matrix !== undefined) {
    const { openMatrix } = await import("./matrix/target.ts");
    checks.push(await check("Matrix", openMatrix(matrix, deps), matrix.places));
  }
  return checks;

  async function check(
    platform: PlatformCheck["platform"],
    target: Pick<Target, "read" | "warnings">,
    places: readonly Place[],
  ): Promise<PlatformCheck> {
    try {
      const states = await target.read(places, new Set());
      return { platform, places: states, trouble: undefined, warnings: target.warnings?.() ?? [] };
    } catch (error) {
      deps.signal.throwIfAborted();
      if (!(error instanceof OperatorError)) throw error;
      const { message: because, remedy } = error;
      return { platform, places: new Map(), trouble: { because, remedy }, warnings: [] };
    }
  }
}

/** Of each list the role that fills it, as it is now. Whether the list itself is there, only Fanvue could tell. */
async function readMirrored(
  holders: RoleHolders,
  mirrors: readonly Place[],
): Promise<ReadonlyMap<Place, PlaceState>> {
  const roles = [...new Set(mirrors.flatMap((place) => place.mirrors?.role ?? []))];
  const states = await holders.read({ roles, linked: new Set(), onRecord: new Map() });
  return new Map(
    mirrors.flatMap((place): [Place, PlaceState][] => {
      const state = place.mirrors && states.get(place.mirrors.role);
      return state === undefined ? [] : [[place, state]];
    }),
  );
}

/** Whether every place could be read and managed; doors that stand open are warnings only. */
export const isManageable = (checks: readonly PlatformCheck[]): boolean =>
  checks.every(
    ({ places, trouble }) =>
      trouble === undefined && [...places.values()].every((state) => !("unreadable" in state)),
  );

/** The checks in words, for a terminal. */
export const describeChecks = (checks: readonly PlatformCheck[]): string =>
  checks.map((check) => checkLines(check).join("\n")).join("\n\n");

function checkLines({ platform, places, trouble, warnings }: PlatformCheck): readonly string[] {
  const title = `${platform}, as it is now:`;
  if (trouble !== undefined) return [title, `  ! ${trouble.because} ${trouble.remedy}`];
  return [
    title,
    ...[...places].flatMap(([place, state]) => placeLines(place, state)),
    ...warnings.map((warning) => `  ! ${warning}`),
  ];
}

function placeLines({ id }: Place, state: PlaceState): readonly string[] {
  if ("unreadable" in state) {
    const { because, remedy } = state.unreadable;
    return [`  ${id}: cannot be managed`, `    ! ${because} ${remedy}`];
  }
  const title = state.name === id ? id : `${state.name} (${id})`;
  const verdict = state.warnings.length === 0 ? "in order" : "can be managed, but:";
  return [`  ${title}: ${verdict}`, ...state.warnings.map((warning) => `    ! ${warning}`)];
}

/** The checks as a document for programs. */
export const checksJson = (checks: readonly PlatformCheck[]): unknown =>
  checks.map(({ platform, places, trouble, warnings }) => ({
    platform: platform.toLowerCase(),
    trouble: trouble ?? null,
    warnings,
    places: [...places].map(([place, state]) =>
      "unreadable" in state
        ? { place: place.id, unreadable: state.unreadable }
        : { place: place.id, placeId: state.placeId, name: state.name, warnings: state.warnings },
    ),
  }));
