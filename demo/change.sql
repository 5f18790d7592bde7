-- change.sql - an hour in the laboratory

BEGIN;
UPDATE queue_entries
SET state = 'done', started_at = coalesce(started_at, 1711900000),
	finished_at = 1711903600
WHERE id BETWEEN 2951 AND 2963;
INSERT INTO users (login, name, created_at)
VALUES ('newcomer', 'Nia 🌱', 1711903000);
UPDATE machines SET calibration = 1.0000000000000002 WHERE code = 'laser-1';
UPDATE profiles SET bio = 'I moved.' WHERE user_id = 3;
DELETE FROM archived_measurements WHERE rowid BETWEEN 3000 AND 3030;
COMMIT;
