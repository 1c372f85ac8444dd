// Reading entities and what lies around them. Every statement starts at an index, by project and
// space; a read never leaves a space, because no relation does. What counts of the scope is which
// memories it holds: those behind mentions and relations.
//
// `{in_scope r}`, `{holding r}`, `{stated}` and `{mentions}` stand for the blocks of those names; in
// the first two, `x` is what is named. Of an entity so many edges are looked at, whatever it has.
// Instants are microseconds since 1970, as in projection.cypher.

// name: in_scope
($given.user_id IS NULL OR x.user_id = $given.user_id) AND ($given.agent_id IS NULL OR x.agent_id = $given.agent_id)
  AND ($given.app_id IS NULL OR x.app_id = $given.app_id) AND ($given.run_id IS NULL OR x.run_id = $given.run_id)

// name: holding
($given.holding_at IS NULL OR x.superseded_at IS NULL OR x.superseded_at > $given.holding_at)

// name: stated
RETURN source.key AS source_key, source.name AS source_name, source.type AS source_type,
       target.key AS target_key, target.name AS target_name, target.type AS target_type,
       r.relation AS relation, r.memory_id AS memory_id,
       r.event_time AS event_time,
       r.superseded_at AS superseded_at

// name: mentions
CALL {
  WITH e
  MATCH (m:Memory)-[:MENTIONS]->(e)
  WITH m LIMIT $given.most_edges
  WHERE {in_scope m}
  WITH m.memory_id AS memory_id ORDER BY memory_id DESC
  WITH collect(memory_id) AS ids
  RETURN size(ids) AS memory_count, ids[0..$given.newest] AS memory_ids
}
RETURN e.space AS space, e.key AS key, e.name AS name, e.type AS type, e.aliases AS aliases,
       memory_count, memory_ids

// The spaces of the newest relations of a scope.

// name: spaces_agent_id
MATCH (source)-[r:RELATES_TO]->()
USING INDEX SEEK r:RELATES_TO(project_id, agent_id, event_time)
WHERE r.project_id = $given.project_id AND r.agent_id = $given.agent_id AND r.event_time <= $given.end_of_time
WITH source, r ORDER BY r.project_id DESC, r.agent_id DESC, r.event_time DESC LIMIT $given.looked_at
RETURN DISTINCT source.space AS space LIMIT $given.most_spaces

// name: spaces_app_id
MATCH (source)-[r:RELATES_TO]->()
USING INDEX SEEK r:RELATES_TO(project_id, app_id, event_time)
WHERE r.project_id = $given.project_id AND r.app_id = $given.app_id AND r.event_time <= $given.end_of_time
WITH source, r ORDER BY r.project_id DESC, r.app_id DESC, r.event_time DESC LIMIT $given.looked_at
RETURN DISTINCT source.space AS space LIMIT $given.most_spaces

// name: spaces_run_id
MATCH (source)-[r:RELATES_TO]->()
USING INDEX SEEK r:RELATES_TO(project_id, run_id, event_time)
WHERE r.project_id = $given.project_id AND r.run_id = $given.run_id AND r.event_time <= $given.end_of_time
WITH source, r ORDER BY r.project_id DESC, r.run_id DESC, r.event_time DESC LIMIT $given.looked_at
RETURN DISTINCT source.space AS space LIMIT $given.most_spaces

// name: find_entities
CALL {
  UNWIND $given.spaces AS space
  MATCH (e:Entity {project_id: $given.project_id, space: space, key: $given.key})
  RETURN e
  UNION
  CALL db.index.fulltext.queryNodes('entity_terms', $given.aliases, {limit: $given.most}) YIELD node AS e
  WITH e WHERE e.project_id = $given.project_id AND e.space IN $given.spaces AND $given.key IN e.alias_keys
  RETURN e
}
{mentions}

// name: entity_page
MATCH (e:Entity)
USING INDEX SEEK e:Entity(project_id, space, key)
WHERE e.project_id = $given.project_id AND e.space = $given.space AND e.key > $given.after
WITH e ORDER BY e.project_id, e.space, e.key LIMIT $given.looked_at
{mentions}
ORDER BY space, key

// Words are those of one project and space (see terms.py). The properties are compared nevertheless.

// name: entity_matches
CALL db.index.fulltext.queryNodes('entity_terms', $given.words, {limit: $given.most}) YIELD node AS e, score
WITH e, score WHERE e.project_id = $given.project_id AND e.space IN $given.spaces
WITH e, score ORDER BY score DESC, e.space, e.key SKIP $given.skipped LIMIT $given.looked_at
{mentions}, score
ORDER BY score DESC, space, key

// name: expand
UNWIND $given.keys AS key
MATCH (e:Entity {project_id: $given.project_id, space: $given.space, key: key})
CALL {
  WITH e
  MATCH (e)-[r:RELATES_TO]-()
  WITH DISTINCT r LIMIT $given.most_edges
  WHERE {in_scope r} AND {holding r}
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
