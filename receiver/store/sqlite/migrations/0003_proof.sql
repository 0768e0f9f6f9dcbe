-- The Merkle tree over `entry`, as C2SP tlog-tiles: up to 256 hashes of 32 bytes, written with the entries they stand for.
CREATE TABLE tile (
  level  INTEGER NOT NULL,
  n      INTEGER NOT NULL,
  hashes BLOB NOT NULL,
  PRIMARY KEY (level, n)
) WITHOUT ROWID;

-- Signed states of the tree: the newest, and the last of every hour before it. All of them stand in checkpoints.log.
CREATE TABLE checkpoint (
  size INTEGER PRIMARY KEY,               -- entries
  at   INTEGER NOT NULL,
  note TEXT NOT NULL                      -- C2SP signed note
);
