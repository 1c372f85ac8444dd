// Reads the entities of a whole graph space, their neighbourhoods and their relations. Every
// statement starts at an index, by project and space; a read never leaves a space, because no
// relation does.
//
// However many edges an entity has, only `most_edges` of them are read. Instants are microseconds
// since 1970, as in projection.cypher.

// block: holding
($given.holding_at IS NULL OR r.superseded_at IS NULL OR r.superseded_at > $given.holding_at)

// block: stated
RETURN source.key AS source_key, source.name AS source_name, source.type AS source_type,
       target.key AS target_key, target.name AS target_name, target.type AS target_type,
       r.relation AS relation, r.memory_id AS memory_id,
       r.event_time AS event_time,
       r.superseded_at AS superseded_at

// block: mentions
CALL {
  WITH e
  MATCH (m:Memory)-[:MENTIONS]->(e)
  WITH m LIMIT $given.most_edges
  WITH m.memory_id AS memory_id ORDER BY memory_id DESC
  WITH collect(memory_id) AS ids
  RETURN size(ids) AS memory_count, ids[0..$given.newest] AS memory_ids
}
RETURN e.space AS space, e.key AS key, e.name AS name, e.type AS type, e.aliases AS aliases,
       memory_count, memory_ids

// name: find_entities
CALL {
  MATCH (e:Entity {project_id: $given.project_id, space: $given.space, key: $given.key})
  RETURN e
  UNION
  CALL db.index.fulltext.queryNodes('entity_terms', $given.alias, {limit: $given.most}) YIELD node AS e
  WITH e WHERE e.project_id = $given.project_id AND e.space = $given.space AND $given.key IN e.alias_keys
  RETURN e
}
{mentions}

// name: entity_page
MATCH (e:Entity)
USING INDEX SEEK e:Entity(project_id, space, key)
WHERE e.project_id = $given.project_id AND e.space = $given.space AND e.key > $given.after
WITH e ORDER BY e.project_id, e.space, e.key LIMIT $given.limit
{mentions}
ORDER BY key

// name: entity_matches
// Words contain the project and space (see terms.py). The properties are compared nevertheless.
CALL db.index.fulltext.queryNodes('entity_terms', $given.words, {limit: $given.most}) YIELD node AS e, score
WITH e, score WHERE e.project_id = $given.project_id AND e.space = $given.space
WITH e, score ORDER BY score DESC, e.key SKIP $given.skipped LIMIT $given.limit
{mentions}, score
ORDER BY score DESC, key

// name: expand
UNWIND $given.keys AS key
MATCH (e:Entity {project_id: $given.project_id, space: $given.space, key: key})
CALL {
  WITH e
  MATCH (e)-[r:RELATES_TO]-()
  WITH DISTINCT r LIMIT $given.most_edges
  WHERE {holding}
  WITH r ORDER BY r.event_time DESC, r.memory_id LIMIT $given.fan_out + 1
  RETURN collect(r) AS around
}
WITH around, size(around) > $given.fan_out OR COUNT { (e)-[:RELATES_TO]-() } > $given.most_edges AS cut
UNWIND around[0..$given.fan_out] AS r
WITH r, any(each IN collect(cut) WHERE each) AS cut
ORDER BY r.event_time DESC, r.memory_id LIMIT $given.limit
WITH r, cut, startNode(r) AS source, endNode(r) AS target
{stated}, cut

// name: describe
UNWIND $given.keys AS key
MATCH (e:Entity {project_id: $given.project_id, space: $given.space, key: key})
{mentions}

// name: relation_page
// A page of relations, newest first. The hint fixes the plan: depending on statistics, the planner
// might scan, even the index of all projects (SEEK forbids that, INDEX alone does not). The ORDER BY
// includes the leading properties of the index, which are constant here, so that the index provides the
// order, and the cost depends on the size of the page and not of the space.
MATCH (source)-[r:RELATES_TO]->(target)
USING INDEX SEEK r:RELATES_TO(project_id, user_id, event_time)
WHERE r.project_id = $given.project_id AND r.user_id = $given.user_id AND r.event_time <= $given.event_time
WITH source, r, target
ORDER BY r.project_id DESC, r.user_id DESC, r.event_time DESC,
         r.memory_id, source.key, r.relation, target.key
WHERE ($given.relation IS NULL OR r.relation = $given.relation)
  AND {holding}
  AND ($given.entity IS NULL OR source.key = $given.entity OR target.key = $given.entity
    OR $given.entity IN source.alias_keys OR $given.entity IN target.alias_keys)
  AND ($given.after_memory IS NULL OR r.event_time < $given.event_time OR r.memory_id > $given.after_memory
    OR (r.memory_id = $given.after_memory AND (source.key > $given.after_source
      OR (source.key = $given.after_source AND (r.relation > $given.after_relation
        OR (r.relation = $given.after_relation AND target.key > $given.after_target))))))
{stated}
LIMIT $given.limit
