// What a creation leaves behind that was cut off in the middle: the index without its constraint,
// whose name is the constraint's. An index that a constraint owns cannot be dropped.

// name: entity_key
DROP INDEX entity_key IF EXISTS

// name: memory_key
DROP INDEX memory_key IF EXISTS

// name: space_lock_slot
DROP INDEX space_lock_slot IF EXISTS
