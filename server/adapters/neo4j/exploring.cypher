// Reading entities and what lies around them. Every statement starts at the index of entities by
// project, space and key; a read never leaves a space, because no relation does. What counts of the
// scope is which memories it holds: those behind mentions and relations.
//
// `{in_scope}` stands for the block of that name, with the variable that it is about.

// name: in_scope
($user_id IS NULL OR x.user_id = $user_id) AND ($agent_id IS NULL OR x.agent_id = $agent_id)
  AND ($app_id IS NULL OR x.app_id = $app_id) AND ($run_id IS NULL OR x.run_id = $run_id)

// name: holding
($holding_at IS NULL OR x.superseded_at IS NULL OR x.superseded_at > $holding_at)

// name: find_entities
UNWIND range(0, size($refs) - 1) AS place
MATCH (e:Entity {project_id: $project_id, space: $refs[place].space, key: $refs[place].key})
{mentioned}
RETURN e.space AS space, e.key AS key, e.name AS name, e.type AS type, e.aliases AS aliases,
       memory_count, memory_ids
ORDER BY place

// name: mentioned
CALL {
  WITH e
  MATCH (m:Memory)-[:MENTIONS]->(e)
  WHERE {in_scope m}
  WITH m.memory_id AS memory_id ORDER BY memory_id DESC
  WITH collect(memory_id) AS ids
  RETURN size(ids) AS memory_count, ids[0..$newest] AS memory_ids
}
WITH * WHERE memory_count > 0

// The entities of a space in their order, of which only some can be in the scope: so many are looked
// at, and the last of them says where the next page begins.

// name: entity_page
CALL {
  MATCH (e:Entity)
  USING INDEX SEEK e:Entity(project_id, space, key)
  WHERE e.project_id = $project_id AND e.space = $space AND e.key > $after
  RETURN e
  ORDER BY e.project_id, e.space, e.key
  LIMIT $looked_at
}
WITH collect(e) AS looked_at
WITH looked_at, size(looked_at) AS seen, last(looked_at).key AS last_key
UNWIND looked_at AS e
{mentioned}
RETURN e.space AS space, e.key AS key, e.name AS name, e.type AS type, e.aliases AS aliases,
       memory_count, memory_ids, seen, last_key
ORDER BY space, key
LIMIT $limit

// name: entity_page_end
MATCH (e:Entity)
USING INDEX SEEK e:Entity(project_id, space, key)
WHERE e.project_id = $project_id AND e.space = $space AND e.key > $after
WITH e ORDER BY e.project_id, e.space, e.key LIMIT $looked_at
RETURN count(e) AS seen, last(collect(e.key)) AS last_key

// Words are those of one project and space (see terms.py). The properties are compared nevertheless.

// name: entity_matches
CALL db.index.fulltext.queryNodes('entity_terms', $words, {limit: $most}) YIELD node AS e, score
WITH e, score WHERE e.project_id = $project_id AND e.space IN $spaces
{mentioned}
RETURN e.space AS space, e.key AS key, e.name AS name, e.type AS type, e.aliases AS aliases,
       memory_count, memory_ids
ORDER BY score DESC, space, key
SKIP $skipped LIMIT $limit

// name: expand
UNWIND $keys AS key
MATCH (e:Entity {project_id: $project_id, space: $space, key: key})
CALL {
  WITH e
  MATCH (e)-[r:RELATES_TO]-()
  WHERE {in_scope r} AND {holding r}
  WITH DISTINCT r
  ORDER BY r.event_time DESC, r.memory_id LIMIT $fan_out + 1
  RETURN collect(r) AS around
}
WITH collect(around) AS all_around
WITH all_around, any(around IN all_around WHERE size(around) > $fan_out) AS cut
UNWIND all_around AS around
UNWIND around[0..$fan_out] AS r
WITH DISTINCT r, cut
ORDER BY r.event_time DESC, r.memory_id LIMIT $limit + 1
WITH r, cut, startNode(r) AS source, endNode(r) AS target
RETURN source.key AS source_key, source.name AS source_name, source.type AS source_type,
       target.key AS target_key, target.name AS target_name, target.type AS target_type,
       r.relation AS relation, r.memory_id AS memory_id, r.event_time AS event_time,
       r.superseded_at AS superseded_at, cut

// name: describe
UNWIND $keys AS key
MATCH (e:Entity {project_id: $project_id, space: $space, key: key})
RETURN e.space AS space, e.key AS key, e.name AS name, e.type AS type, e.aliases AS aliases,
       COUNT { MATCH (m:Memory)-[:MENTIONS]->(e) WHERE {in_scope m} } AS memory_count

// What the entities of a question lead to, in one round trip: their relations, and those one further
// on. Entities with few relations come first; of each so many of the newest relations are followed,
// and none through an entity that is related to very much.

// name: recall
UNWIND $refs AS ref
MATCH (e:Entity {project_id: $project_id, space: ref.space, key: ref.key})
WITH e, COUNT { (e)-[:RELATES_TO]-() } AS degree
WHERE degree > 0
WITH e, degree ORDER BY degree, e.key LIMIT $most_entities
CALL {
  WITH e
  MATCH (e)-[r:RELATES_TO]-()
  WHERE {in_scope r} AND {holding r}
  WITH DISTINCT r
  ORDER BY r.event_time DESC, r.memory_id LIMIT $near
  RETURN collect(r) AS near
}
CALL {
  WITH e, near
  UNWIND near AS r
  WITH DISTINCT e, CASE WHEN startNode(r) = e THEN endNode(r) ELSE startNode(r) END AS between
  WHERE between <> e
  WITH e, between, COUNT { (between)-[:RELATES_TO]-() } AS through
  WHERE through > 1 AND through <= $widest
  MATCH (between)-[s:RELATES_TO]-(other)
  WHERE other <> e AND {in_scope s} AND {holding s}
  WITH DISTINCT s, through
  ORDER BY through, s.event_time DESC, s.memory_id LIMIT $far
  RETURN collect({r: s, through: through}) AS far
}
UNWIND [r IN near | {r: r, through: 0}] + far AS clue
WITH degree, clue.r AS r, clue.through AS through
WITH degree, through, r, startNode(r) AS source, endNode(r) AS target
RETURN source.key AS source_key, source.name AS source_name, source.type AS source_type,
       target.key AS target_key, target.name AS target_name, target.type AS target_type,
       r.relation AS relation, r.memory_id AS memory_id, r.event_time AS event_time,
       r.superseded_at AS superseded_at, degree, through
