/** The first schema. */
export const initial = `
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
