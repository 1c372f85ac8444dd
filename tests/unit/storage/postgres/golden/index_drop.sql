-- name: drop
DROP INDEX IF EXISTS memories_x;
