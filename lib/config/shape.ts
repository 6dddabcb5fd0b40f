/** What a config.yaml becomes once it is read: typed, defaults filled in, frozen. */
import type { DiscordUserId, GuildId, ListRef, Mxid, Place, RoleId } from "../model.ts";

export interface FanvueConfig {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redirectUri: string;
  /** Default https://api.fanvue.com */
  readonly apiUrl: string;
  /** Default https://auth.fanvue.com */
  readonly authUrl: string;
  /** "auto": found out at the first call and remembered. */
  readonly apiPrefix: "auto" | "" | "/v1";
}

export interface DiscordConfig {
  readonly token: string;
  readonly guildId: GuildId;
  /** Default https://discord.com/api */
  readonly apiUrl: string;
  readonly protectBoosters: boolean;
  readonly oauth:
    | {
        readonly clientId: string;
        readonly clientSecret: string;
        readonly redirectUri: string;
        readonly serverHost: string;
        readonly serverPort: number;
      }
    | undefined;
  /** The configured roles, as places. */
  readonly places: readonly Place[];
  readonly autoJoin: { readonly enabled: boolean; readonly roles: readonly RoleId[] };
}

export interface MatrixConfig {
  readonly homeserver: string;
  readonly userId: Mxid;
  readonly accessToken: string;
  /** The configured rooms and spaces, as places. */
  readonly places: readonly Place[];
}

/** One entry of list_sync. */
export interface ListSync {
  readonly name: string;
  readonly role: RoleId | undefined;
  readonly list: ListRef;
  readonly primary: "fanvue" | "discord";
}

export interface UpsellConfig {
  readonly requiredEntitlementIds: readonly string[];
  readonly onBoost: boolean;
  readonly offerMessage: string;
  readonly maxPerHour: number;
  readonly maxPerDay: number;
  readonly toSubscribers: boolean;
}

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

export interface Config {
  /** Absolute path of the file, for messages. */
  readonly path: string;
  readonly fanvue: FanvueConfig;
  readonly discord: DiscordConfig | undefined;
  readonly matrix: MatrixConfig | undefined;
  readonly listSync: readonly ListSync[];
  readonly upsell: UpsellConfig | undefined;
  readonly protectedAccounts: ReadonlySet<DiscordUserId | Mxid>;
  readonly limits: Limits;
  readonly snapshotMaxAgeMs: number;
  readonly followersMaxAgeMs: number;
  readonly unknownAfterDays: number;
  readonly trustProxy: boolean;
  /** What is odd but usable, as whole sentences with file, line and key. */
  readonly warnings: readonly string[];
}
