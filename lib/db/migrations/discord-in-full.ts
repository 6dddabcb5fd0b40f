/** Second step: logins, offers, and who came and went on Discord. */
export const discordInFull = `
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
