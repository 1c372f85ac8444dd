// The statements of one projection, in the order in which they run, in one transaction.
//
// Two kinds of locks separate concurrent projections until the end of the transaction: those of the
// memories, then those of the spaces. All lists are sorted, so that locks are taken in one order and
// projections cannot deadlock. Writing a property takes a node's exclusive lock.
//
// Each statement returns one list `rows`, because the driver processes every record separately. Instants
// are stored as microseconds since 1970, because integers are cheapest for the driver and the indexes.

// name: lock_memories
// The version of a memory is reliable only once the memory is locked.
UNWIND $given.memories AS row
MERGE (m:Memory {project_id: row.project_id, memory_id: row.memory_id})
SET m.project_id = row.project_id
WITH m, row, m.version AS known
SET m.version = CASE WHEN row.version < known THEN known ELSE row.version END,
    m.user_id = row.user_id, m.agent_id = row.agent_id, m.app_id = row.app_id, m.run_id = row.run_id
RETURN collect({project_id: row.project_id, memory_id: row.memory_id, version: known}) AS rows

// name: stored_mentions
UNWIND $given.memories AS row
MATCH (m:Memory {project_id: row.project_id, memory_id: row.memory_id})-[r:MENTIONS]->(e:Entity)
RETURN collect({
  project_id: row.project_id, memory_id: row.memory_id, element_id: elementId(r), space: e.space,
  key: e.key, name: r.name, type: r.type, rank: r.rank, aliases: r.aliases
}) AS rows

// name: stored_relations
UNWIND $given.memories AS row
MATCH (source)-[r:RELATES_TO]->(target)
USING INDEX SEEK r:RELATES_TO(project_id, memory_id)
WHERE r.project_id = row.project_id AND r.memory_id = row.memory_id
RETURN collect({
  project_id: row.project_id, memory_id: row.memory_id, element_id: elementId(r),
  space: source.space, source: source.key, relation: r.relation, target: target.key,
  event_time: r.event_time,
  user_id: r.user_id, agent_id: r.agent_id, app_id: r.app_id, run_id: r.run_id,
  expires_on: r.expires_on
}) AS rows

// name: lock_spaces
// Entities are locked together, by their space. Locked one by one, they could deadlock: deleting an
// orphan takes the lock of its key, which a transaction that adds to the entity holds while it waits
// for the entity. A lock has a number instead of the space's name, so that it can outlive the space.
UNWIND $given.slots AS slot
MERGE (lock:SpaceLock {slot: slot})
SET lock.slot = slot

// name: slot_relations
UNWIND $given.slots AS slot
MATCH (source)-[r:RELATES_TO]->(target)
USING INDEX SEEK r:RELATES_TO(slot)
WHERE r.slot = slot
RETURN collect({
  slot: slot, element_id: elementId(r), project_id: r.project_id, memory_id: r.memory_id,
  target: target.key, event_time: r.event_time, superseded_at: r.superseded_at
}) AS rows

// name: supersede
UNWIND $given.ends AS row
MATCH ()-[r:RELATES_TO]->()
USING INDEX SEEK r:RELATES_TO(project_id, memory_id)
WHERE r.project_id = row.project_id AND r.memory_id = row.memory_id
  AND elementId(r) = row.element_id
SET r.superseded_at = row.superseded_at

// name: remove_mentions
UNWIND $given.edges AS row
MATCH (:Memory {project_id: row.project_id, memory_id: row.memory_id})-[r:MENTIONS]->()
WHERE elementId(r) = row.element_id
DELETE r

// name: remove_relations
UNWIND $given.edges AS row
MATCH ()-[r:RELATES_TO]->()
USING INDEX SEEK r:RELATES_TO(project_id, memory_id)
WHERE r.project_id = row.project_id AND r.memory_id = row.memory_id
  AND elementId(r) = row.element_id
DELETE r

// name: remove_memories
UNWIND $given.memories AS row
MATCH (m:Memory {project_id: row.project_id, memory_id: row.memory_id})
DELETE m

// name: add_edges
// Looks up each entity and each memory once, for any number of edges: `entity`, `source` and `target`
// are places in the list of entities. An entity has the name in its mention with the lowest rank. Setting
// all properties of a relation at once costs a third less than setting each.
UNWIND $given.entities AS row
MERGE (e:Entity {project_id: row.project_id, space: row.space, key: row.key})
  ON CREATE SET e.rank = row.rank, e.name = row.name, e.type = row.type, e.terms = row.terms,
                e.aliases = coalesce(row.aliases, []), e.alias_keys = row.alias_keys
FOREACH (_ IN CASE WHEN row.rank < e.rank THEN [1] ELSE [] END |
  SET e.rank = row.rank, e.name = row.name, e.type = row.type, e.terms = row.terms,
      e.aliases = coalesce(row.aliases, []), e.alias_keys = row.alias_keys
)
WITH e, row.place AS place ORDER BY place
WITH collect(e) AS entities
UNWIND $given.memories AS memory
MATCH (m:Memory {project_id: memory.project_id, memory_id: memory.memory_id})
FOREACH (row IN memory.mentions | FOREACH (e IN [entities[row.entity]] |
  CREATE (m)-[:MENTIONS {name: row.name, type: row.type, rank: row.rank, aliases: row.aliases}]->(e)
))
FOREACH (row IN memory.relations | FOREACH (source IN [entities[row.source]] |
  FOREACH (target IN [entities[row.target]] |
    CREATE (source)-[r:RELATES_TO]->(target) SET r = row.properties
)))

// name: rename_entities
UNWIND $given.removed AS row
MATCH (e:Entity {project_id: row.project_id, space: row.space, key: row.key})
WHERE e.rank = row.rank
MATCH (e)<-[r:MENTIONS]-()
WITH e, min(r.rank) AS rank
MATCH (e)<-[first:MENTIONS]-()
WHERE first.rank = rank
SET e.name = first.name, e.type = first.type, e.rank = first.rank,
    e.aliases = coalesce(first.aliases, [])

// name: remove_orphans
UNWIND $given.removed AS row
MATCH (e:Entity {project_id: row.project_id, space: row.space, key: row.key})
WHERE NOT EXISTS { (e)--() }
DELETE e

// name: names
UNWIND $given.touched AS row
MATCH (e:Entity {project_id: row.project_id, space: row.space, key: row.key})
RETURN collect({
  project_id: e.project_id, space: e.space, key: e.key, name: e.name, aliases: e.aliases,
  terms: e.terms, alias_keys: e.alias_keys
}) AS rows

// name: index_names
UNWIND $given.names AS row
MATCH (e:Entity {project_id: row.project_id, space: row.space, key: row.key})
SET e.terms = row.terms, e.alias_keys = row.alias_keys

// name: remove_invented
// Each memory of a rehearsal has a space of its own, so nothing else mentions its entities.
UNWIND $given.memories AS row
MATCH (m:Memory {project_id: row.project_id, memory_id: row.memory_id})-[:MENTIONS]->(e)
DETACH DELETE m, e
