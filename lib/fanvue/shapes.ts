/**
 * Fanvue's JSON as far as it is used. Unknown fields and words pass; what is missing and needed is named in the error.
 * The API is documented at https://api.fanvue.com/docs/api-reference/overview
 */
import { z } from "zod";
import { type ContentId, type FanId, parseContentId, parseFanId } from "../ids.ts";
import type { Known } from "../facts.ts";

const fanId = z.string().transform((text, context): FanId => {
  const id = parseFanId(text);
  if (id !== undefined) return id;
  context.addIssue({ code: "custom", message: "not a uuid" });
  return z.NEVER;
});

const instantMs = z.string().transform((text, context): number => {
  const atMs = Date.parse(text);
  if (!Number.isNaN(atMs)) return atMs;
  context.addIssue({ code: "custom", message: "not a date" });
  return z.NEVER;
});

/** null, missing or unreadable all mean: not told. */
const optionalInstantMs = z.unknown().transform((value): number | undefined => {
  const atMs = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : atMs;
});
const optionalText = z
  .string()
  .nullish()
  .transform((text) => (text === null || text === "" ? undefined : text));
const optionalContent = optionalText.transform((text): ContentId | undefined =>
  text === undefined ? undefined : parseContentId(text),
);
const cents = z.number().transform((value) => Math.round(value));
const optionalCents = z
  .number()
  .nullish()
  .transform((value) => (value === null || value === undefined ? undefined : Math.round(value)));
const name = z
  .string()
  .nullish()
  .transform((text) => text ?? "");

export const userShape = z.object({
  uuid: z.string().min(1),
  handle: name,
  displayName: name,
  isCreator: z.boolean(),
});

const fanFields = { uuid: fanId, handle: name, displayName: name, isTopSpender: z.boolean() };

export const followerShape = z.object(fanFields);

export const subscriberShape = z.object({
  ...fanFields,
  subscription: z
    .object({
      status: optionalText,
      price: optionalCents,
      amountPaid: optionalCents,
      currentPeriodEnd: optionalInstantMs,
    })
    .nullish(),
});

export const memberShape = z.object({ uuid: fanId, handle: name });

export const customListShape = z.object({
  uuid: z.string().min(1),
  name,
  membersCount: z.number().nullish(),
});
export const smartListShape = z.object({ uuid: z.string().min(1), count: z.number().nullish() });
/** A bare array in one generation of the API, wrapped in the other. */
export const smartListsShape = z.union([
  z.array(smartListShape),
  z.object({ data: z.array(smartListShape) }).transform(({ data }) => data),
]);

const amountShape = z.object({ total: optionalCents, gross: optionalCents }).nullish();
export const insightShape = z.object({
  status: z.string(),
  spending: z.object({ lastPurchaseAt: optionalInstantMs, total: amountShape }).nullish(),
  subscription: z.object({ renewsAt: optionalInstantMs }).nullish(),
});

/** POST /insights/fans/batch: an insight or `{error}` by uuid. */
export const batchShape = z.record(z.string(), z.unknown());
/** GET /insights/fans: an insight or null by uuid, and why. */
export const bulkShape = z.object({
  results: z.record(z.string(), z.unknown()),
  errors: z.array(z.object({ fanUuid: z.string(), code: z.string() })).nullish(),
});
export const perFanErrorShape = z.object({ error: z.string() });

export const earningShape = z.object({
  date: instantMs,
  gross: cents,
  net: cents,
  source: z.string(),
  transactionOrderId: optionalText,
  reversedTransactionOrderId: optionalText,
  // The row counts even where the user is gone or unreadable.
  user: z
    .object({ uuid: z.string() })
    .nullish()
    .transform((user) => (user === null || user === undefined ? undefined : parseFanId(user.uuid))),
  postUuid: optionalContent,
  messageUuid: optionalContent,
});

/** One page of any list: rows are looked at one by one, later. */
export const pageShape = z.object({
  data: z.array(z.unknown()),
  nextCursor: z.string().nullish(),
  pagination: z.object({ page: z.number().nullish(), hasMore: z.boolean() }).nullish(),
});

/** Reads a body by its shape; the reason names endpoint and field. */
export function readShape<T>(shape: z.ZodType<T>, body: unknown, endpoint: string): Known<T> {
  const parsed = shape.safeParse(body);
  if (parsed.success) return { known: true, value: parsed.data };
  const issue = parsed.error.issues.at(0);
  const field = issue?.path.map(String).join(".") ?? "";
  const where = field === "" ? "the answer" : field;
  return {
    known: false,
    why: `${endpoint}: ${where} is not as expected (${issue?.message ?? "unreadable"})`,
  };
}
