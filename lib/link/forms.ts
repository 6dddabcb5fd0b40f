/** What the forms of the link pages may hold. Everything else that is sent is refused. */
import * as z from "zod";

/** Longer than anything that is meant; what a browser really sends is bounded by the size of the body. */
const longestCode = 2048;
const longestName = 300;

const typed = z.string().max(longestName);
const secret = z.string().max(longestCode);

export const forms = {
  nothing: z.object({}),
  inbox: z.union([z.object({ handle: typed }), z.object({ code: typed })]),
  invite: z.object({ token: secret }),
  callback: z.object({ code: secret, state: secret, iss: secret.optional() }),
  matrix: z.union([z.object({ mxid: typed }), z.object({ code: typed })]),
  confirm: z.object({ fan: typed, platform: typed, account: typed }),
  unlink: z.object({ account: typed }),
} as const;

/** The name of the field by which a form shows that it comes from a page of the visit. */
export const formTokenField = "form_token";

/** The fields of a form as sent; undefined where one is there twice, for which none of our forms is the reason. */
export function readFields(body: string): Readonly<Record<string, string>> | undefined {
  const fields = [...new URLSearchParams(body)];
  const names = new Set(fields.map(([name]) => name));
  return names.size === fields.length ? Object.fromEntries(fields) : undefined;
}
