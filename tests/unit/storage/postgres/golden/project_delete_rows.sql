-- name: delete_rows
WITH deleted AS (
    DELETE FROM messages
    WHERE project_id = $1 AND ctid = ANY (ARRAY(
        SELECT ctid FROM messages WHERE project_id = $1 LIMIT $2
    ))
    RETURNING 1
)
SELECT count(*) FROM deleted;
