/** The ledger of earnings and, in the unprefixed generation, the separate one of refunds and chargebacks. */
import type { z } from "zod";
import type { EarningsRow } from "../facts.ts";
import type { Api } from "./api.ts";
import { pageSize } from "./pages.ts";
import { earningShape, pageShape, readShape } from "./shapes.ts";

/** earnings: all money · reversals: refunds and chargebacks, where they are told apart. */
export type EarningsBook = "earnings" | "reversals";

export interface EarningsAsk {
  readonly book: EarningsBook;
  /** Inclusive. */
  readonly fromMs: number;
  /** Exclusive. */
  readonly toMs: number;
  /** Where the page begins; undefined: at the first. */
  readonly cursor: string | undefined;
}

export type EarningsPage =
  | { readonly known: true; readonly rows: readonly EarningsRow[]; readonly nextCursor: string | undefined }
  /** `cursorRefused`: Fanvue does not accept the cursor, so the window has to be begun anew. */
  | { readonly known: false; readonly why: string; readonly cursorRefused: boolean };

const scopes = ["read:insights"];
const paths = { earnings: "/insights/earnings", reversals: "/insights/spending" } as const;

/** Which books the API has: /v1 keeps reversals among the earnings. */
export async function earningsBooks(api: Api): Promise<readonly EarningsBook[]> {
  return (await api.prefix()) === "/v1" ? ["earnings"] : ["earnings", "reversals"];
}

/** One page of a window. Fanvue wants full datetimes: a date alone is refused. */
export async function fetchEarningsPage(api: Api, ask: EarningsAsk): Promise<EarningsPage> {
  const call = { path: paths[ask.book], scopes };
  const query = {
    startDate: new Date(ask.fromMs).toISOString(),
    endDate: new Date(ask.toMs).toISOString(),
    size: String(pageSize),
    ...(ask.cursor === undefined ? {} : { cursor: ask.cursor }),
  };
  const answer = await api.ask({ ...call, query });
  if (!answer.ok) {
    const cursorRefused = answer.status === 400 && ask.cursor !== undefined;
    return { known: false, why: answer.why, cursorRefused };
  }
  return readPage(answer.body, await api.endpoint(call), ask);
}

function readPage(body: unknown, endpoint: string, ask: EarningsAsk): EarningsPage {
  const unknown = (why: string): EarningsPage => ({ known: false, why, cursorRefused: false });
  const page = readShape(pageShape, body, endpoint);
  if (!page.known) return unknown(page.why);
  if (page.value.nextCursor === undefined)
    return unknown(`${endpoint}: a page that does not tell what follows`);
  const rows: EarningsRow[] = [];
  for (const [index, item] of page.value.data.entries()) {
    const row = readShape(earningShape, item, `${endpoint}, row ${index + 1}`);
    if (!row.known) return unknown(row.why);
    rows.push(toRow(row.value));
  }
  const nextCursor = page.value.nextCursor ?? undefined;
  if (nextCursor !== undefined && rows.length === 0) {
    return unknown(`${endpoint}: an empty page that promises more`);
  }
  if (nextCursor !== undefined && nextCursor === ask.cursor) return unknown(`${endpoint}: a repeated cursor`);
  // Should the window's ends be taken otherwise than documented, neighbouring windows must not count a row twice.
  const inside = rows.filter(({ dateMs }) => dateMs >= ask.fromMs && dateMs < ask.toMs);
  return { known: true, rows: inside, nextCursor };
}

function toRow(row: z.infer<typeof earningShape>): EarningsRow {
  return {
    source: row.source,
    kind: kindOf(row),
    dateMs: row.date,
    fan: row.user,
    orderId: row.transactionOrderId,
    reversesOrderId: row.reversedTransactionOrderId,
    postId: row.postUuid,
    messageId: row.messageUuid,
    grossCents: row.gross,
    netCents: row.net,
  };
}

const reversalSources = new Set(["refund", "chargeback"]);
const purchaseSources = new Set([
  "appStore",
  "checkoutLink",
  "fanExperience",
  "mediaLink",
  "message",
  "post",
  "renewal",
  "subscription",
  "tip",
]);

/** Rewards (referral, affiliate, giveaway) and words that nobody has heard yet are neither purchase nor reversal. */
function kindOf({ source, gross, net }: z.infer<typeof earningShape>): EarningsRow["kind"] {
  if (reversalSources.has(source) || gross < 0 || net < 0) return "reversal";
  return purchaseSources.has(source) ? "purchase" : "other";
}
