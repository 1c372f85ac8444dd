// Reads the whole graph, page by page: each page is an index seek, in the order of the key from which it
// continues.

// name: projects
MATCH (n) WHERE (n:Entity OR n:Memory) AND n.project_id <> $given.no_project
RETURN DISTINCT n.project_id AS project_id
ORDER BY project_id

// name: memory_nodes
UNWIND $given.memories AS row
MATCH (m:Memory {project_id: row.project_id, memory_id: row.memory_id})
RETURN m.memory_id AS memory_id, m.version AS version, m.user_id AS user_id,
       m.agent_id AS agent_id, m.app_id AS app_id, m.run_id AS run_id

// name: rewind
UNWIND $given.memories AS row
MATCH (m:Memory {project_id: row.project_id, memory_id: row.memory_id})
WHERE m.version > row.version
SET m.version = 0

// name: memory_page
MATCH (m:Memory)
WHERE m.project_id = $given.project_id AND m.memory_id > $given.after
RETURN m.memory_id AS memory_id
ORDER BY m.memory_id
LIMIT $given.page_size

// name: stray_page
MATCH ()-[r:RELATES_TO]->()
WHERE r.project_id = $given.project_id AND r.memory_id > $given.after
WITH DISTINCT r.project_id AS project_id, r.memory_id AS memory_id
ORDER BY memory_id
LIMIT $given.page_size
RETURN memory_id, EXISTS { (:Memory {project_id: project_id, memory_id: memory_id}) } AS known

// name: remove_strays
UNWIND $given.memory_ids AS memory_id
MATCH ()-[r:RELATES_TO]->()
WHERE r.project_id = $given.project_id AND r.memory_id = memory_id
DELETE r

// name: entity_page
MATCH (e:Entity)
USING INDEX e:Entity(project_id, space, key)
WHERE e.project_id = $given.project_id AND e.space >= $given.space AND e.key IS NOT NULL
  AND (e.space > $given.space OR e.key > $given.key)
WITH e ORDER BY e.project_id, e.space, e.key
LIMIT $given.page_size
OPTIONAL MATCH (e)<-[r:MENTIONS]-()
WITH e, min(r.rank) AS rank
OPTIONAL MATCH (e)<-[first:MENTIONS]-()
WHERE first.rank = rank
RETURN e.project_id AS project_id, e.space AS space, e.key AS key, e.name AS name,
       e.aliases AS aliases, e.terms AS terms, e.alias_keys AS alias_keys,
       elementId(e) AS element_id, rank,
       e.name = first.name AND e.type = first.type AND e.rank = first.rank
         AND coalesce(e.aliases, []) = coalesce(first.aliases, []) AS is_right
ORDER BY space, key

// name: rename
UNWIND $given.element_ids AS element_id
MATCH (e:Entity)
WHERE elementId(e) = element_id
MATCH (e)<-[r:MENTIONS]-()
WITH e, min(r.rank) AS rank
MATCH (e)<-[first:MENTIONS]-()
WHERE first.rank = rank
SET e.name = first.name, e.type = first.type, e.rank = first.rank,
    e.aliases = coalesce(first.aliases, [])

// name: remove_unmentioned
UNWIND $given.element_ids AS element_id
MATCH (e:Entity)
WHERE elementId(e) = element_id AND NOT EXISTS { (e)<-[:MENTIONS]-() }
DETACH DELETE e

// name: slot_page
MATCH (source)-[r:RELATES_TO]->()
WHERE r.slot > $given.after AND r.project_id = $given.project_id
RETURN DISTINCT r.slot AS slot, source.space AS space
ORDER BY slot
LIMIT $given.page_size
