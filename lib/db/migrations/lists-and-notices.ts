/** Fourth step: lists that are filled, notices to the owner, and who is on the Discord server. */
export const listsAndNotices = `
-- What Fanvue calls it.
ALTER TABLE lists ADD COLUMN name TEXT;
-- Asked for, and Fanvue has no such list.
ALTER TABLE lists ADD COLUMN is_missing INTEGER NOT NULL DEFAULT 0 CHECK (is_missing IN (0, 1));

-- Strangers who were there when the place was first applied, and who wait for approval.
ALTER TABLE places ADD COLUMN strangers_wait INTEGER NOT NULL DEFAULT 0 CHECK (strangers_wait IN (0, 1));

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
