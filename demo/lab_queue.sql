-- lab_queue.sql - the database of a small application: who may use which
-- machine of a laboratory, and when
--
--   sqlite3 -bail lab_queue.db < demo/lab_queue.sql
--
-- The same bytes of content on every run: no random(), no present time.  Mixed
-- in are values that backups tend to lose.

PRAGMA page_size = 4096;
PRAGMA foreign_keys = OFF;
PRAGMA user_version = 17;
PRAGMA application_id = 0x4c414251;

BEGIN;

-- users.favourite_preset and queue_presets.owner point at each other.
CREATE TABLE users (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	login TEXT NOT NULL UNIQUE COLLATE NOCASE,
	name TEXT NOT NULL,
	invited_by INTEGER REFERENCES users (id),
	favourite_preset INTEGER REFERENCES queue_presets (id),
	created_at INTEGER NOT NULL DEFAULT (strftime('%s', 'now'))
);

CREATE TABLE profiles (
	user_id INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
	bio TEXT,
	avatar BLOB,
	badge INTEGER,
	"time zone" TEXT DEFAULT 'UTC'
);

CREATE TABLE machines (
	code TEXT PRIMARY KEY,
	name TEXT NOT NULL,
	serial INTEGER,
	calibration REAL,
	firmware
) WITHOUT ROWID;

CREATE TABLE queue_presets (
	id INTEGER PRIMARY KEY,
	owner INTEGER NOT NULL REFERENCES users (id),
	machine TEXT NOT NULL REFERENCES machines (code),
	title TEXT NOT NULL,
	minutes INTEGER NOT NULL CHECK (minutes > 0),
	settings TEXT NOT NULL DEFAULT '{}'
);

CREATE TABLE queue_entries (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	user_id INTEGER NOT NULL REFERENCES users (id),
	machine TEXT NOT NULL REFERENCES machines (code),
	preset INTEGER REFERENCES queue_presets (id),
	state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done')),
	queued_at INTEGER NOT NULL,
	started_at INTEGER,
	finished_at INTEGER,
	note TEXT,
	seconds INTEGER GENERATED ALWAYS AS (finished_at - started_at)
);

-- No key of its own: the rows' numbers are SQLite's, with gaps.
CREATE TABLE archived_measurements (
	entry INTEGER NOT NULL REFERENCES queue_entries (id),
	taken_at REAL NOT NULL,
	value,
	raw BLOB
);

CREATE TABLE notification_preferences (
	user_id INTEGER NOT NULL REFERENCES users (id),
	channel TEXT NOT NULL,
	event TEXT NOT NULL,
	enabled INTEGER NOT NULL DEFAULT 1,
	PRIMARY KEY (user_id, channel, event)
) WITHOUT ROWID;

CREATE TABLE notifications (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	user_id INTEGER NOT NULL REFERENCES users (id),
	entry INTEGER REFERENCES queue_entries (id),
	message TEXT NOT NULL,
	read_at INTEGER
);

CREATE VIRTUAL TABLE note_search USING fts5 (note);

-- ---- rows ----

INSERT INTO machines VALUES
	('laser-1', 'Laser cutter "Ruby"', 9223372036854775807, 1.0, 'v2.1'),
	('laser-2', 'Laser cutter ''Saphir''', -9223372036854775808, 1e-7, -0.0),
	('mill', 'Fräse', 9007199254740993, 9e999, x'000102ff'),
	('oven', '炉 🔥', NULL, -9e999, x''),
	('scope', 'Oszilloskop', 42, 5e-324, 17),
	('spare', 'no longer here', 0, 0.1, NULL);

CREATE TEMP TABLE machine_no AS
SELECT row_number() OVER (ORDER BY code) - 1 AS no, code FROM machines;

WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO users (id, login, name, invited_by, created_at)
SELECT i, printf('user%03d', i),
	CASE i % 5
	WHEN 0 THEN 'Zoë Müller-' || i
	WHEN 1 THEN 'O''Brien, Pat "' || i || '"'
	WHEN 2 THEN '李小龙 ' || i
	WHEN 3 THEN 'Ада ' || i || ' 👩‍🔬'
	ELSE 'Sam ' || i END,
	CASE WHEN i > 1 THEN 1 + (i * 7) % (i - 1) END,
	1700000000 + i * 8641
FROM n;
-- Gaps, and a last number that AUTOINCREMENT must not give out again.
DELETE FROM users WHERE id % 37 = 0 OR id > 390;

INSERT INTO profiles (user_id, bio, avatar, badge, "time zone")
SELECT id,
	CASE id % 7
	WHEN 0 THEN NULL
	WHEN 1 THEN ''
	WHEN 2 THEN 'line one' || char(13, 10) || 'line two' || char(9)
	WHEN 3 THEN 'before' || char(0) || 'after a NUL'
	WHEN 4 THEN CAST(x'6e6f7420c3285554462d38ff' AS TEXT)
	WHEN 5 THEN '{"$blob":"only looks like one"} \ "quoted"'
	ELSE char(65279) || 'byte order mark, ' || char(8232, 127, 27) END,
	CASE id % 3
	WHEN 0 THEN NULL
	WHEN 1 THEN x''
	ELSE CAST('GIF89a' || char(0) || id AS BLOB) || zeroblob(id % 40) END,
	(id - 200) * 45035996273704961,
	CASE id % 4 WHEN 0 THEN NULL ELSE 'Europe/Berlin' END
FROM users;
-- Text where a number is expected, a number where text is: SQLite keeps both.
UPDATE profiles SET badge = 'gold' WHERE user_id = 12;
UPDATE profiles SET avatar = 3.5 WHERE user_id = 13;

WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120)
INSERT INTO queue_presets
SELECT i * 10, (SELECT max(id) FROM users WHERE id <= 1 + i * 3),
	(SELECT code FROM machine_no WHERE no = i % 5),
	'Preset № ' || i, 5 + i % 90,
	json_object('power', i % 100, 'passes', 1 + i % 3, 'air', json('true'))
FROM n;
UPDATE users SET favourite_preset = (
	SELECT id FROM queue_presets WHERE owner = users.id LIMIT 1);

WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
INSERT INTO queue_entries (id, user_id, machine, preset, state, queued_at,
	started_at, finished_at, note)
SELECT i, (SELECT max(id) FROM users WHERE id <= 1 + (i * 7919) % 380),
	(SELECT code FROM machine_no WHERE no = i % 5),
	CASE WHEN i % 4 THEN 10 * (1 + i % 120) END,
	CASE WHEN i > 2960 THEN 'waiting' WHEN i > 2950 THEN 'running'
	ELSE 'done' END,
	1710000000 + i * 611,
	CASE WHEN i <= 2960 THEN 1710000000 + i * 611 + i % 900 END,
	CASE WHEN i <= 2950 THEN 1710000000 + i * 611 + i % 900 + i % 5400 END,
	CASE i % 6 WHEN 0 THEN 'steel plate, 3 mm, job ' || i
	WHEN 1 THEN 'birch plywood' || char(10) || 'second try' END
FROM n;
DELETE FROM queue_entries WHERE id % 101 = 0;

WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
INSERT INTO archived_measurements (rowid, entry, taken_at, value, raw)
SELECT i * 3, (SELECT max(id) FROM queue_entries WHERE id <= 1 + i % 2950),
	1710000000 + i * 37.25,
	CASE i % 9
	WHEN 0 THEN i / 7.0 WHEN 1 THEN i * 1e300 WHEN 2 THEN -i / 3e-300
	WHEN 3 THEN i WHEN 4 THEN 'n/a' WHEN 5 THEN NULL
	WHEN 6 THEN i * 0.1 WHEN 7 THEN i * 1.0 ELSE -i * 90071992547411 END,
	CASE WHEN i % 5 = 0 THEN CAST(printf('%08x', i * 2654435761) AS BLOB) END
FROM n;

INSERT INTO notification_preferences
SELECT id, channel, event, (id + length(channel) + length(event)) % 2
FROM users,
	(SELECT 'mail' AS channel UNION ALL SELECT 'push'),
	(SELECT 'done' AS event UNION ALL SELECT 'your turn');

INSERT INTO notifications (user_id, entry, message, read_at)
SELECT user_id, id, 'Entry ' || id || ' on ' || machine || ' is done ✅',
	CASE WHEN id % 3 THEN finished_at + 60 END
FROM queue_entries WHERE state = 'done' AND id % 2;

INSERT INTO note_search (rowid, note)
SELECT id, note FROM queue_entries WHERE note IS NOT NULL;

-- ---- the rest of the schema ----

CREATE INDEX queue_entries_by_user ON queue_entries (user_id, queued_at DESC);
CREATE INDEX waiting ON queue_entries (machine, queued_at)
	WHERE state = 'waiting';
CREATE INDEX users_by_name ON users (lower(name));

CREATE VIEW machine_load AS
SELECT m.code, m.name, count(e.id) AS entries, total(e.seconds) / 3600 AS hours
FROM machines AS m LEFT JOIN queue_entries AS e ON e.machine = m.code
GROUP BY m.code;

CREATE TRIGGER entry_done AFTER UPDATE OF state ON queue_entries
WHEN new.state = 'done' AND old.state <> 'done'
BEGIN
	INSERT INTO notifications (user_id, entry, message)
	VALUES (new.user_id, new.id, 'Entry ' || new.id || ' on '
		|| new.machine || ' is done ✅');
END;

COMMIT;

ANALYZE;
