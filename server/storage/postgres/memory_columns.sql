-- What a statement reads of a memory `m` and of the call `c` that wrote it, for rows.to_memory().

-- block: memory_columns
m.project_id, m.memory_id, m.version, m.user_id, m.agent_id, m.app_id, m.run_id, m.text, m.role,
m.name, m.inferred, m.immutable, m.metadata, m.categories, m.entities, m.relations, m.evidence,
m.event_time, m.expiration_date, m.create_time, m.update_time,
c.call_id, c.request_id, c.correlation_id, c.embedding_model, c.language_model, c.prompt_version,
c.key_id

-- block: visible
-- Not expired on the day `visible_on`, or anything if that is null.
(:visible_on::date IS NULL OR m.expiration_date IS NULL OR m.expiration_date >= :visible_on)
