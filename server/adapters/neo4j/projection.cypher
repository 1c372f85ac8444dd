// The statements of one projection, in the order in which they run, in one transaction.
//
// Two kinds of locks keep concurrent projections apart, held until the transaction ends: those of
// the memories, then those of the spaces. Every list comes sorted, so everyone takes them in one
// order and nobody deadlocks. Writing a property is what takes a node's exclusive lock.

// name: lock_memories
UNWIND $memories AS row
MERGE (m:Memory {project_id: row.project_id, memory_id: row.memory_id})
SET m.project_id = row.project_id
RETURN row.project_id AS project_id, row.memory_id AS memory_id, m.version AS version

// name: stored_mentions
UNWIND $memories AS row
MATCH (m:Memory {project_id: row.project_id, memory_id: row.memory_id})-[r:MENTIONS]->(e:Entity)
RETURN row.project_id AS project_id, row.memory_id AS memory_id, elementId(r) AS element_id,
       e.space AS space, e.key AS key, r.name AS name, r.type AS type, r.rank AS rank,
       r.aliases AS aliases

// name: stored_relations
UNWIND $memories AS row
MATCH (source)-[r:RELATES_TO]->(target)
USING INDEX SEEK r:RELATES_TO(project_id, memory_id)
WHERE r.project_id = row.project_id AND r.memory_id = row.memory_id
RETURN row.project_id AS project_id, row.memory_id AS memory_id, elementId(r) AS element_id,
       source.space AS space, source.key AS source, r.relation AS relation, target.key AS target,
       r.event_time AS event_time, r.user_id AS user_id, r.agent_id AS agent_id,
       r.app_id AS app_id, r.run_id AS run_id, r.expires_on AS expires_on

// Entities are locked by their space as a whole and not one by one: to delete an orphan takes the
// lock of its key, which whoever adds to the entity holds while waiting for the entity, and so both
// would wait for each other. A lock has a number and not a space's name, so that it need not go when
// the space does.

// name: lock_spaces
UNWIND $slots AS slot
MERGE (lock:SpaceLock {slot: slot})
SET lock.slot = slot

// name: merge_entities
UNWIND $entities AS row
MERGE (e:Entity {project_id: row.project_id, space: row.space, key: row.key})
  ON CREATE SET e.name = row.name, e.type = row.type, e.rank = row.rank, e.aliases = row.aliases
WITH e, row
WHERE row.rank < e.rank
SET e.name = row.name, e.type = row.type, e.rank = row.rank, e.aliases = row.aliases

// name: remove_edges
MATCH ()-[r]->()
WHERE elementId(r) IN $element_ids
DELETE r

// name: remove_memories
UNWIND $memories AS row
MATCH (m:Memory {project_id: row.project_id, memory_id: row.memory_id})
DELETE m

// name: keep_memories
UNWIND $memories AS row
MATCH (m:Memory {project_id: row.project_id, memory_id: row.memory_id})
SET m.version = row.version, m.user_id = row.user_id, m.agent_id = row.agent_id,
    m.app_id = row.app_id, m.run_id = row.run_id

// name: add_mentions
UNWIND $mentions AS row
MATCH (m:Memory {project_id: row.project_id, memory_id: row.memory_id})
MATCH (e:Entity {project_id: row.project_id, space: row.space, key: row.key})
CREATE (m)-[:MENTIONS {
  name: row.name, type: row.type, rank: row.rank, aliases: row.aliases
}]->(e)

// name: add_relations
UNWIND $relations AS row
MATCH (source:Entity {project_id: row.project_id, space: row.space, key: row.source})
MATCH (target:Entity {project_id: row.project_id, space: row.space, key: row.target})
CREATE (source)-[:RELATES_TO {
  project_id: row.project_id, memory_id: row.memory_id, relation: row.relation,
  event_time: row.event_time, valid_from: row.event_time, expires_on: row.expires_on,
  slot: row.slot, user_id: row.user_id, agent_id: row.agent_id, app_id: row.app_id,
  run_id: row.run_id
}]->(target)

// name: slot_relations
UNWIND $slots AS slot
MATCH (source)-[r:RELATES_TO]->(target)
USING INDEX SEEK r:RELATES_TO(slot)
WHERE r.slot = slot
RETURN slot, elementId(r) AS element_id, r.project_id AS project_id, r.memory_id AS memory_id,
       target.key AS target,
       r.valid_from AS valid_from, r.superseded_at AS superseded_at

// name: supersede
UNWIND $ends AS row
MATCH ()-[r:RELATES_TO]->()
USING INDEX SEEK r:RELATES_TO(project_id, memory_id)
WHERE r.project_id = row.project_id AND r.memory_id = row.memory_id
  AND elementId(r) = row.element_id
SET r.superseded_at = row.superseded_at

// name: rename_entities
UNWIND $removed AS row
MATCH (e:Entity {project_id: row.project_id, space: row.space, key: row.key})
WHERE e.rank = row.rank
MATCH (e)<-[r:MENTIONS]-()
WITH e, min(r.rank) AS rank
MATCH (e)<-[first:MENTIONS]-()
WHERE first.rank = rank
SET e.name = first.name, e.type = first.type, e.rank = first.rank,
    e.aliases = coalesce(first.aliases, [])

// name: remove_orphans
UNWIND $removed AS row
MATCH (e:Entity {project_id: row.project_id, space: row.space, key: row.key})
WHERE NOT EXISTS { (e)--() }
DELETE e

// name: names
UNWIND $touched AS row
MATCH (e:Entity {project_id: row.project_id, space: row.space, key: row.key})
RETURN e.project_id AS project_id, e.space AS space, e.key AS key, e.name AS name,
       e.aliases AS aliases, e.terms AS terms, e.alias_keys AS alias_keys

// name: index_names
UNWIND $names AS row
MATCH (e:Entity {project_id: row.project_id, space: row.space, key: row.key})
SET e.terms = row.terms, e.alias_keys = row.alias_keys
