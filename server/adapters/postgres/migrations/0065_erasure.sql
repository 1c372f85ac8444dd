-- Erasing for good, by request and by retention, and deleting whole projects.

-- An erased memory keeps one event, its last deletion. The state that would say whose memory it was is
-- gone, so the event says it itself, for those who watch that scope and for the deletion of the scope.
ALTER TABLE memory_events ADD COLUMN erased_scope jsonb;
CREATE INDEX memory_events_erased ON memory_events USING gin (erased_scope jsonb_path_ops)
    WHERE erased_scope IS NOT NULL;

-- Memories that were deleted when they had an expiration date: retention erases what history keeps of
-- them. Dates in ISO 8601 are in the order of their letters.
CREATE INDEX memory_events_expiration ON memory_events ((state ->> 'expiration_date'))
    WHERE state ->> 'expiration_date' IS NOT NULL;

-- Set while a project is being deleted: nobody can use it from then on.
ALTER TABLE projects ADD COLUMN delete_time timestamptz;
