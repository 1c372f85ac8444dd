// Finds the indexes that interrupted creations of constraints left behind: an index with the name of the
// constraint, but without it. An index that belongs to a constraint cannot be dropped.

// name: entity_key
DROP INDEX entity_key IF EXISTS

// name: memory_key
DROP INDEX memory_key IF EXISTS

// name: space_lock_slot
DROP INDEX space_lock_slot IF EXISTS
