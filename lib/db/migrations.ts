/**
 * The schema, as the ordered steps that made it. A step that was released is never edited; a change is a new step.
 * Times are integer milliseconds since the epoch, money is integer cents, ids are text, lists are JSON.
 */
import { BadInputError } from "../errors.ts";
import type { Image } from "./engine.ts";

const initial = `
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Who is who: fan and account.

CREATE TABLE links (
  platform TEXT NOT NULL CHECK (platform IN ('discord', 'matrix')),
  account TEXT NOT NULL,
  fan TEXT NOT NULL,
  source TEXT NOT NULL CHECK (source IN ('proved', 'operator')),
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (platform, account, fan)
) STRICT, WITHOUT ROWID;

-- A fan of NULL blocks the account altogether.
CREATE TABLE blocks (
  platform TEXT NOT NULL CHECK (platform IN ('discord', 'matrix')),
  account TEXT NOT NULL,
  fan TEXT,
  reason TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX blocks_by_account ON blocks (platform, account, coalesce(fan, ''));

CREATE TABLE link_events (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  event TEXT NOT NULL CHECK (event IN ('added', 'removed', 'invited again')),
  platform TEXT NOT NULL CHECK (platform IN ('discord', 'matrix')),
  account TEXT NOT NULL,
  fan TEXT,
  detail TEXT NOT NULL
) STRICT;

-- path: absolute, since several configs may share a data folder.
CREATE TABLE books (
  path TEXT PRIMARY KEY,
  entries INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE book_links (
  path TEXT NOT NULL,
  platform TEXT NOT NULL CHECK (platform IN ('discord', 'matrix')),
  account TEXT NOT NULL,
  fan TEXT NOT NULL,
  first_seen_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL,
  PRIMARY KEY (path, platform, account, fan)
) STRICT, WITHOUT ROWID;

-- What is ours, place by place.

CREATE TABLE places (
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  configured_id TEXT NOT NULL,
  place_id TEXT NOT NULL,
  rules_hash TEXT NOT NULL,
  first_applied_at_ms INTEGER NOT NULL,
  applied_at_ms INTEGER NOT NULL,
  PRIMARY KEY (target, configured_id)
) STRICT, WITHOUT ROWID;

-- run_id: the run whose step gives it, while that step has no outcome.
CREATE TABLE grants (
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  place_id TEXT NOT NULL,
  account TEXT NOT NULL,
  fans TEXT NOT NULL,
  origin TEXT NOT NULL CHECK (origin IN ('granted', 'adopted', 'found')),
  basis TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  settled INTEGER NOT NULL CHECK (settled IN (0, 1)),
  run_id INTEGER,
  PRIMARY KEY (target, place_id, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_by_account ON grants (target, account);

-- Who lost a place, how, and since when it had been ours (NULL: it was not). counted: the brakes count it.
CREATE TABLE losses (
  id INTEGER PRIMARY KEY,
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  place_id TEXT NOT NULL,
  account TEXT NOT NULL,
  how TEXT NOT NULL CHECK (how IN ('revoke', 'evict', 'gone')),
  since_ms INTEGER,
  at_ms INTEGER NOT NULL,
  counted INTEGER NOT NULL CHECK (counted IN (0, 1))
) STRICT;
CREATE INDEX losses_by_place ON losses (target, place_id, at_ms);

CREATE TABLE departures (
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  place_id TEXT NOT NULL,
  account TEXT NOT NULL,
  noticed_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER,
  PRIMARY KEY (target, place_id, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE lapses (
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  place_id TEXT NOT NULL,
  account TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (target, place_id, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE refusals (
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  place_id TEXT NOT NULL,
  account TEXT NOT NULL,
  code TEXT NOT NULL,
  sentence TEXT NOT NULL,
  times INTEGER NOT NULL CHECK (times > 0),
  next_try_at_ms INTEGER NOT NULL,
  PRIMARY KEY (target, place_id, account)
) STRICT, WITHOUT ROWID;

-- The journal.

CREATE TABLE runs (
  run_id INTEGER PRIMARY KEY AUTOINCREMENT,
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  started_at_ms INTEGER NOT NULL,
  ended_at_ms INTEGER,
  exit_code INTEGER,
  summary TEXT
) STRICT;
CREATE INDEX runs_by_start ON runs (started_at_ms);

-- planned: no outcome yet · not-done: found undone when read again after a run that died.
-- times: how many runs in a row this step had this outcome.
-- unsure: a removal that failed on the service's side, which may have carried it out; until its place is read again.
CREATE TABLE steps (
  run_id INTEGER NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  verb TEXT NOT NULL CHECK (verb IN ('grant', 'revoke', 'evict')),
  place_id TEXT NOT NULL,
  account TEXT NOT NULL,
  fans TEXT NOT NULL,
  because TEXT NOT NULL,
  basis TEXT NOT NULL,
  requested INTEGER NOT NULL CHECK (requested IN (0, 1)),
  approved INTEGER NOT NULL CHECK (approved IN (0, 1)),
  state TEXT NOT NULL CHECK (state IN ('held', 'planned', 'done', 'refused', 'failed', 'dropped', 'not-done')),
  sentence TEXT,
  times INTEGER NOT NULL DEFAULT 1 CHECK (times > 0),
  unsure INTEGER NOT NULL DEFAULT 0 CHECK (unsure IN (0, 1)),
  at_ms INTEGER NOT NULL,
  PRIMARY KEY (run_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX steps_by_account ON steps (target, account, place_id);
CREATE INDEX steps_by_time ON steps (at_ms);
CREATE INDEX steps_open ON steps (target) WHERE state = 'planned' OR unsure = 1;
CREATE INDEX steps_held ON steps (target) WHERE state = 'held';

-- id grows with each storing: the greatest of a target is the current set.
CREATE TABLE held_sets (
  id INTEGER PRIMARY KEY,
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  hash TEXT NOT NULL,
  held TEXT NOT NULL,
  accepts TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  UNIQUE (target, hash)
) STRICT;

-- What Fanvue said.

-- By target: what is approved for one releases nothing on another.
CREATE TABLE source_sizes (
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  source TEXT NOT NULL,
  size INTEGER NOT NULL CHECK (size >= 0),
  accepted_at_ms INTEGER NOT NULL,
  PRIMARY KEY (target, source)
) STRICT, WITHOUT ROWID;

CREATE TABLE unreadable_fans (
  fan TEXT PRIMARY KEY,
  since_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- NULL: that part was not needed.
CREATE TABLE snapshot (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  ended_at_ms INTEGER NOT NULL,
  needs_key TEXT NOT NULL,
  subscribers_read INTEGER NOT NULL CHECK (subscribers_read IN (0, 1)),
  followers_read_at_ms INTEGER
) STRICT;

CREATE TABLE subscribers (
  fan TEXT PRIMARY KEY,
  handle TEXT NOT NULL,
  display_name TEXT NOT NULL,
  is_top_spender INTEGER NOT NULL CHECK (is_top_spender IN (0, 1)),
  status TEXT,
  period_ends_at_ms INTEGER,
  is_free INTEGER CHECK (is_free IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE followers (
  fan TEXT PRIMARY KEY,
  handle TEXT NOT NULL,
  display_name TEXT NOT NULL,
  is_top_spender INTEGER NOT NULL CHECK (is_top_spender IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE lists (
  list TEXT PRIMARY KEY,
  member_count INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE list_members (
  list TEXT NOT NULL REFERENCES lists (list) ON DELETE CASCADE,
  fan TEXT NOT NULL,
  PRIMARY KEY (list, fan)
) STRICT, WITHOUT ROWID;

CREATE TABLE insights (
  fan TEXT PRIMARY KEY,
  status TEXT NOT NULL,
  total_cents INTEGER,
  last_purchase_at_ms INTEGER,
  renews_at_ms INTEGER,
  read_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE earnings (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('purchase', 'reversal', 'other')),
  date_ms INTEGER NOT NULL,
  fan TEXT,
  order_id TEXT,
  reverses_order_id TEXT,
  post_id TEXT,
  message_id TEXT,
  gross_cents INTEGER NOT NULL,
  net_cents INTEGER NOT NULL
) STRICT;
CREATE INDEX earnings_by_date ON earnings (date_ms);
`;

const discordInFull = `
ALTER TABLE departures ADD COLUMN how TEXT NOT NULL DEFAULT 'left' CHECK (how IN ('left', 'removed'));

-- Linked accounts that were ever seen on the Discord server: who is gone since is not brought back.
CREATE TABLE arrivals (
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  account TEXT NOT NULL,
  first_seen_ms INTEGER NOT NULL,
  PRIMARY KEY (target, account)
) STRICT, WITHOUT ROWID;
INSERT INTO arrivals SELECT target, account, min(since_ms) FROM grants
  WHERE target = 'discord' AND settled = 1 GROUP BY target, account;

-- Secrets: with these a fan let us bring them into the server.
CREATE TABLE discord_logins (
  account TEXT PRIMARY KEY,
  access_token TEXT NOT NULL,
  refresh_token TEXT NOT NULL,
  scopes TEXT NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  saved_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per person and occasion ('boost', or 'sku:' and the SKU's id), for ever.
-- known: was there before the listener first ran, and gets no offer · sending: written down before it is sent, so that
-- nobody is written to twice.
CREATE TABLE offers (
  account TEXT NOT NULL,
  occasion TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('known', 'waiting', 'sending', 'sent', 'refused', 'failed')),
  noticed_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER NOT NULL,
  PRIMARY KEY (account, occasion)
) STRICT, WITHOUT ROWID;
CREATE INDEX offers_by_change ON offers (changed_at_ms);

-- Who gets no message any more: closed direct messages, or a STOP.
CREATE TABLE offer_refusals (
  account TEXT PRIMARY KEY,
  why TEXT NOT NULL CHECK (why IN ('closed', 'stop')),
  at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`;

const linkPages = `
-- What people call a place, as last read.
ALTER TABLE places ADD COLUMN name TEXT;

-- Who cut a link: a fan may take back what they cut themselves, not what the operator cut. Each cause stands by itself, so
-- that lifting one leaves the others. And an account of NULL now blocks the fan altogether. SQLite cannot drop a NOT NULL in place.
CREATE TABLE all_blocks (
  platform TEXT CHECK (platform IN ('discord', 'matrix')),
  account TEXT,
  fan TEXT,
  reason TEXT NOT NULL,
  cause TEXT NOT NULL CHECK (cause IN ('operator', 'fan', 'transfer')),
  created_at_ms INTEGER NOT NULL,
  CHECK (account IS NOT NULL OR fan IS NOT NULL),
  CHECK ((platform IS NULL) = (account IS NULL))
) STRICT;
INSERT INTO all_blocks SELECT platform, account, fan, reason, 'operator', created_at_ms FROM blocks;
DROP TABLE blocks;
ALTER TABLE all_blocks RENAME TO blocks;
CREATE UNIQUE INDEX blocks_by_pair ON blocks
  (coalesce(platform, ''), coalesce(account, ''), coalesce(fan, ''), cause);

-- More kinds of events than before; SQLite cannot widen a CHECK in place.
CREATE TABLE all_link_events (
  id INTEGER PRIMARY KEY,
  at_ms INTEGER NOT NULL,
  event TEXT NOT NULL CHECK (event IN ('added', 'removed', 'invited again', 'unlinked', 'transferred', 'blocked',
    'unblocked', 'refused', 'invite made', 'invite sent', 'invite used', 'code sent', 'code right', 'code wrong')),
  platform TEXT CHECK (platform IN ('discord', 'matrix')),
  account TEXT,
  fan TEXT,
  detail TEXT NOT NULL
) STRICT;
INSERT INTO all_link_events SELECT id, at_ms, event, platform, account, fan, detail FROM link_events;
DROP TABLE link_events;
ALTER TABLE all_link_events RENAME TO link_events;
CREATE INDEX link_events_by_fan ON link_events (fan, at_ms);

-- Codes that were sent to prove an account. hash: keyed, the code itself is nowhere. kind fanvue: to the inbox of fan ·
-- matrix: to account, asked for by fan. fan is NULL where nobody has the handle that was typed.
CREATE TABLE link_codes (
  id TEXT PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('fanvue', 'matrix')),
  fan TEXT,
  account TEXT,
  hash TEXT NOT NULL,
  tries_left INTEGER NOT NULL CHECK (tries_left >= 0),
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  used_at_ms INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX link_codes_by_time ON link_codes (created_at_ms);

-- Personal links that the creator hands out. sent: how the message that carries it stands; NULL: it was printed.
CREATE TABLE link_invites (
  nonce TEXT PRIMARY KEY,
  fan TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  used_at_ms INTEGER,
  sent TEXT CHECK (sent IN ('sending', 'sent', 'refused', 'failed'))
) STRICT, WITHOUT ROWID;
CREATE INDEX link_invites_by_fan ON link_invites (fan);
`;

const listsAndNotices = `
-- What Fanvue calls it.
ALTER TABLE lists ADD COLUMN name TEXT;
-- Asked for, and Fanvue has no such list.
ALTER TABLE lists ADD COLUMN is_missing INTEGER NOT NULL DEFAULT 0 CHECK (is_missing IN (0, 1));

-- How often Discord refused to send it without saying whom that speaks of.
ALTER TABLE offers ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;

-- Of a personal link only what its nonce hashes to is kept: links that were made before are of no use any more.
ALTER TABLE link_invites RENAME COLUMN nonce TO nonce_hash;

-- Visitors of the link pages type names, and must not see by the time it takes whether there is such a fan.
CREATE INDEX subscribers_by_handle ON subscribers (handle COLLATE NOCASE);
CREATE INDEX followers_by_handle ON followers (handle COLLATE NOCASE);

-- What needs the owner, while it lasts. scope: whose runs can tell that it is over. told_at_ms NULL: not told yet.
CREATE TABLE notices (
  key TEXT PRIMARY KEY,
  scope TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  told_at_ms INTEGER
) STRICT, WITHOUT ROWID;

-- The link was cut: brings nobody in any more, and is to be ended at Discord.
ALTER TABLE discord_logins ADD COLUMN is_cut INTEGER NOT NULL DEFAULT 0 CHECK (is_cut IN (0, 1));

-- Linked accounts and the Discord server. there: was, when last looked for · gone: and no person's doing, or it is over ·
-- kicked: a person threw them out, and the entitlement has not ended since. kicks_known_to_ms: by Discord's clock; the
-- kicks up to then are known, or undone.
CREATE TABLE presences (
  target TEXT NOT NULL CHECK (target IN ('discord', 'matrix', 'fanvue-lists')),
  account TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('there', 'gone', 'kicked')),
  kicks_known_to_ms INTEGER NOT NULL,
  PRIMARY KEY (target, account)
) STRICT, WITHOUT ROWID;
-- Kicks were kept as departures from each role: those that are over are not to be found anew.
INSERT INTO presences
  SELECT target, account, 'there', max(known_to_ms) FROM (
    SELECT target, account, first_seen_ms AS known_to_ms FROM arrivals WHERE target = 'discord'
    UNION ALL
    SELECT target, account, ended_at_ms FROM departures
      WHERE target = 'discord' AND how = 'removed' AND ended_at_ms IS NOT NULL)
  GROUP BY target, account;
`;

/** Step n brings a database from user_version n to n + 1. */
const migrations: readonly string[] = [initial, discordInFull, linkPages, listsAndNotices];

/**
 * Brings an image to the newest schema, in memory: the next write saves it. `path` is for messages.
 * Throws a BadInputError when a newer version of this program wrote the file, or another program did.
 */
export function migrate(path: string, image: Image): void {
  const version = numberOf(image, "PRAGMA user_version");
  if (version > migrations.length) {
    throw new BadInputError(
      `${path} was written by a newer version of fanvue-sync (schema ${version}; this one knows ${migrations.length}).`,
      "Update fanvue-sync, or name another folder with --data DIR.",
    );
  }
  if (version < 1 && numberOf(image, "SELECT count(*) FROM sqlite_schema") > 0) {
    throw new BadInputError(
      `${path} is a SQLite file of another program.`,
      "Move it away, or name another folder with --data DIR.",
    );
  }
  for (const [step, statements] of [...migrations.entries()].slice(Math.max(0, version))) {
    image.exec(`BEGIN; ${statements}; PRAGMA user_version = ${step + 1}; COMMIT`);
  }
}

const numberOf = (image: Image, query: string): number => Number(image.exec(query)[0]?.values[0]?.[0]);
