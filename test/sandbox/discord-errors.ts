/** Discord's refusals, with the statuses and bodies of the real ones. */
import { RESTJSONErrorCodes as codes } from "discord-api-types/v10";
import type { Reply } from "./server.ts";

/** https://discord.com/developers/docs/reference#error-messages */
const refuse = (status: number, code: number, message: string): Reply => ({
  status,
  body: { message, code },
});

export const unauthorized = refuse(401, codes.GeneralError, "401: Unauthorized");
export const notFound = refuse(404, codes.GeneralError, "404: Not Found");
export const wrongMethod = refuse(405, codes.GeneralError, "405: Method Not Allowed");
export const wrongVersion = refuse(400, codes.InvalidAPIVersion, "Invalid API version provided");

export const unknownChannel = refuse(404, codes.UnknownChannel, "Unknown Channel");
export const unknownGuild = refuse(404, codes.UnknownGuild, "Unknown Guild");
export const unknownMember = refuse(404, codes.UnknownMember, "Unknown Member");
export const unknownInteraction = refuse(404, codes.UnknownInteraction, "Unknown interaction");
export const unknownRole = refuse(404, codes.UnknownRole, "Unknown Role");
export const unknownWebhook = refuse(404, codes.UnknownWebhook, "Unknown Webhook");
export const unknownUser = refuse(404, codes.UnknownUser, "Unknown User");
export const unknownCommand = refuse(404, codes.UnknownApplicationCommand, "Unknown application command");

export const notThisApplication = refuse(
  403,
  codes.NotAuthorizedToPerformThisActionOnThisApplication,
  "You are not authorized to perform this action on this application",
);
export const tooManyGuilds = refuse(
  400,
  codes.MaximumNumberOfGuildsReached,
  "Maximum number of guilds reached (100)",
);
export const messagesTooFast = refuse(
  403,
  codes.OpeningDirectMessagesTooFast,
  "You are opening direct messages too fast",
);
export const banned = refuse(403, codes.UserBannedFromThisGuild, "The user is banned from this guild.");
export const missingAccess = refuse(403, codes.MissingAccess, "Missing Access");
export const missingPermissions = refuse(403, codes.MissingPermissions, "Missing Permissions");
export const cannotMessageUser = refuse(
  403,
  codes.CannotSendMessagesToThisUser,
  "Cannot send messages to this user",
);
export const noServerInCommon = refuse(
  403,
  codes.CannotSendMessagesToThisUserDueToHavingNoMutualGuilds,
  "Cannot send messages to this user due to having no mutual guilds",
);
export const invalidRecipient = refuse(400, codes.InvalidRecipients, "Invalid Recipient(s)");
export const emptyMessage = refuse(400, codes.CannotSendAnEmptyMessage, "Cannot send an empty message");
export const invalidUserToken = refuse(403, codes.InvalidOAuth2AccessToken, "Invalid OAuth2 access token");
export const missingScope = refuse(403, codes.MissingRequiredOAuth2Scope, "Missing required OAuth2 scope");

export const alreadyAcknowledged = refuse(
  400,
  codes.InteractionHasAlreadyBeenAcknowledged,
  "Interaction has already been acknowledged.",
);

/** One field of a body or a query is not as it should be. */
export const invalidForm = (field: string, code: string, message: string): Reply => ({
  status: 400,
  body: {
    message: "Invalid Form Body",
    code: codes.InvalidFormBodyOrContentType,
    errors: { [field]: { _errors: [{ code, message }] } },
  },
});
export const notASnowflake = (field: string, value: string): Reply =>
  invalidForm(field, "NUMBER_TYPE_COERCE", `Value "${value}" is not snowflake.`);
export const missingField = (field: string): Reply =>
  invalidForm(field, "BASE_TYPE_REQUIRED", "This field is required");
