// Constraints and indexes for the projection and the reads. The statements run in this order, and can be
// repeated.

// name: entity_key
CREATE CONSTRAINT entity_key IF NOT EXISTS
FOR (e:Entity) REQUIRE (e.project_id, e.space, e.key) IS UNIQUE

// name: memory_key
CREATE CONSTRAINT memory_key IF NOT EXISTS
FOR (m:Memory) REQUIRE (m.project_id, m.memory_id) IS UNIQUE

// name: space_lock_slot
CREATE CONSTRAINT space_lock_slot IF NOT EXISTS
FOR (lock:SpaceLock) REQUIRE lock.slot IS UNIQUE

// name: relates_to_memory
CREATE INDEX relates_to_memory IF NOT EXISTS
FOR ()-[r:RELATES_TO]-() ON (r.project_id, r.memory_id)

// name: relates_to_slot
// Functional relations, which can supersede each other, have a slot; others have none and are not indexed.
CREATE INDEX relates_to_slot IF NOT EXISTS
FOR ()-[r:RELATES_TO]-() ON (r.slot)

// name: relates_to_user
// The event time is last, so that a page is read in its order, and reading stops when it is full.
CREATE INDEX relates_to_user IF NOT EXISTS
FOR ()-[r:RELATES_TO]-() ON (r.project_id, r.user_id, r.event_time)

// name: entity_terms
// It contains the words of terms.py, which an analyzer need not split further.
CREATE FULLTEXT INDEX entity_terms IF NOT EXISTS
FOR (e:Entity) ON EACH [e.terms]
OPTIONS {indexConfig: {`fulltext.analyzer`: 'whitespace'}}

// name: await_indexes
// Until an index is populated, statements that name it fail or scan.
CALL db.awaitIndexes(30)
