// Counts of one project. Naming every property of an index lets the counts be read from it.

// name: entities
MATCH (e:Entity)
WHERE e.project_id = $given.project_id AND e.space IS NOT NULL AND e.key IS NOT NULL
RETURN count(e) AS number

// name: relations
MATCH ()-[r:RELATES_TO]->()
WHERE r.project_id = $given.project_id AND r.memory_id IS NOT NULL
RETURN count(r) AS number
