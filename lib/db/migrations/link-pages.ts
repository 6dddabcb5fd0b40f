/** Third step: what the link pages keep. */
export const linkPages = `
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
