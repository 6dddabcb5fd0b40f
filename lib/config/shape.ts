/** What a config.yaml becomes once it is read: typed, defaults filled in, frozen. */
import type { DiscordUserId, GuildId, Mxid, RoleId, RoomAlias, RoomId } from "../ids.ts";
import type { ListRef, NamedList, Place } from "../model.ts";
import type { Limits } from "../model/brakes.ts";

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
  /** The configured roles, as places: those of roles, of list_sync, and those that come with auto_join. */
  readonly places: readonly Place[];
  readonly autoJoin: { readonly enabled: boolean; readonly roles: readonly RoleId[] };
}

export interface MatrixConfig {
  readonly homeserver: string;
  readonly userId: Mxid;
  readonly accessToken: string;
  /** The configured rooms and spaces, as places: those of rooms and of list_sync. */
  readonly places: readonly Place[];
}

/** One entry of list_sync: a Fanvue list kept equal to a Discord role or a Matrix room. */
export interface ListSync {
  readonly name: string;
  readonly role: RoleId | undefined;
  /** A room's id or alias; goes with a list that is primary. */
  readonly room: RoomId | RoomAlias | undefined;
  readonly list: ListRef | NamedList;
  /** A list by its name is made where there is none. */
  readonly makes: boolean;
  /** The side that decides. */
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

/** The web pages on which fans link their accounts. */
export interface LinkConfig {
  /** The file has a section for them, or Discord's OAuth, by which fans link their accounts there. */
  readonly isConfigured: boolean;
  /** Where fans reach them from outside, without a slash at the end; undefined: on this machine only. */
  readonly publicUrl: string | undefined;
  readonly host: string;
  readonly port: number;
  /** The creator's name, and their color as #rrggbb, as the pages show them. */
  readonly name: string | undefined;
  readonly color: string | undefined;
  /** The ways in which a fan may prove their Fanvue account. */
  readonly signIn: boolean;
  readonly inboxCode: boolean;
  readonly personalLinks: boolean;
}

/** Where the owner hears of what needs them; both undefined: nowhere. */
export interface NotifyConfig {
  readonly discordChannelId: string | undefined;
  readonly matrixRoom: RoomId | RoomAlias | undefined;
}

/** What the daemon does by the clock. */
export interface ScheduleConfig {
  /** When it syncs, as a cron expression in the machine's own time; undefined: never. */
  readonly sync: string | undefined;
  /** Where it says on this machine how it is; undefined: nowhere. */
  readonly healthPort: number | undefined;
}

export interface Config {
  /** Absolute path of the file, for messages. */
  readonly path: string;
  readonly fanvue: FanvueConfig;
  readonly discord: DiscordConfig | undefined;
  readonly matrix: MatrixConfig | undefined;
  readonly listSync: readonly ListSync[];
  /** The Fanvue lists that are filled from roles, as places. */
  readonly mirrors: readonly Place[];
  readonly upsell: UpsellConfig | undefined;
  readonly protectedAccounts: ReadonlySet<DiscordUserId | Mxid>;
  readonly limits: Limits;
  readonly snapshotMaxAgeMs: number;
  readonly followersMaxAgeMs: number;
  readonly unknownAfterDays: number;
  readonly schedule: ScheduleConfig;
  readonly link: LinkConfig;
  readonly notify: NotifyConfig;
  /** The link page stands behind a proxy whose X-Forwarded-… headers are to be believed. */
  readonly trustProxy: boolean;
  /** What is odd but usable, as whole sentences with file, line and key. */
  readonly warnings: readonly string[];
}
