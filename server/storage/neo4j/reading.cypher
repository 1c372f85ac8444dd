// A page of relations: a seek by one part of the scope, then the page itself, in one statement.
//
// The hints hold the plan: by the statistics of the moment the planner may scan, be it the index of
// all projects (SEEK forbids that, INDEX alone does not). Ordering by the index's leading properties
// too, which are constant here, lets the index give the order, so that a page costs what it holds and
// not what the scope holds.

// name: seek_run_id
MATCH (source)-[r:RELATES_TO]->(target)
USING INDEX SEEK r:RELATES_TO(project_id, run_id, event_time)
WHERE r.project_id = $given.project_id AND r.run_id = $given.run_id AND r.event_time <= $given.event_time
WITH source, r, target
ORDER BY r.project_id DESC, r.run_id DESC, r.event_time DESC,
         r.memory_id, source.key, r.relation, target.key

// name: seek_user_id
MATCH (source)-[r:RELATES_TO]->(target)
USING INDEX SEEK r:RELATES_TO(project_id, user_id, event_time)
WHERE r.project_id = $given.project_id AND r.user_id = $given.user_id AND r.event_time <= $given.event_time
WITH source, r, target
ORDER BY r.project_id DESC, r.user_id DESC, r.event_time DESC,
         r.memory_id, source.key, r.relation, target.key

// name: seek_agent_id
MATCH (source)-[r:RELATES_TO]->(target)
USING INDEX SEEK r:RELATES_TO(project_id, agent_id, event_time)
WHERE r.project_id = $given.project_id AND r.agent_id = $given.agent_id AND r.event_time <= $given.event_time
WITH source, r, target
ORDER BY r.project_id DESC, r.agent_id DESC, r.event_time DESC,
         r.memory_id, source.key, r.relation, target.key

// name: seek_app_id
MATCH (source)-[r:RELATES_TO]->(target)
USING INDEX SEEK r:RELATES_TO(project_id, app_id, event_time)
WHERE r.project_id = $given.project_id AND r.app_id = $given.app_id AND r.event_time <= $given.event_time
WITH source, r, target
ORDER BY r.project_id DESC, r.app_id DESC, r.event_time DESC,
         r.memory_id, source.key, r.relation, target.key

// name: page
WHERE ($given.user_id IS NULL OR r.user_id = $given.user_id)
  AND ($given.agent_id IS NULL OR r.agent_id = $given.agent_id)
  AND ($given.app_id IS NULL OR r.app_id = $given.app_id)
  AND ($given.run_id IS NULL OR r.run_id = $given.run_id)
  AND ($given.relation IS NULL OR r.relation = $given.relation)
  AND ($given.holding_at IS NULL OR r.superseded_at IS NULL OR r.superseded_at > $given.holding_at)
  AND ($given.entity IS NULL OR source.key = $given.entity OR target.key = $given.entity
    OR $given.entity IN source.alias_keys OR $given.entity IN target.alias_keys)
  AND ($given.after_memory IS NULL OR r.event_time < $given.event_time OR r.memory_id > $given.after_memory
    OR (r.memory_id = $given.after_memory AND (source.key > $given.after_source
      OR (source.key = $given.after_source AND (r.relation > $given.after_relation
        OR (r.relation = $given.after_relation AND target.key > $given.after_target))))))
RETURN source.name AS source_name, source.type AS source_type, r.relation AS relation,
       target.name AS target_name, target.type AS target_type, r.memory_id AS memory_id,
       r.event_time AS event_time,
       r.superseded_at AS superseded_at,
       source.key AS source_key, target.key AS target_key
LIMIT $given.limit
