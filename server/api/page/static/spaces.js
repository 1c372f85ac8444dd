// Graph spaces, such as `user:alice`. Entities with the same name in different spaces are different
// entities.

const KINDS = ["user", "agent", "app", "run"];

export const idOf = ({ space, name }) => JSON.stringify([space, name]);

const kindOf = (space) => space.slice(0, space.indexOf(":"));

// Returns the scope, narrowed to a space.
export const scopeOf = (space, scope) => ({
  ...scope,
  [`${kindOf(space)}_id`]: space.slice(space.indexOf(":") + 1),
});

// Returns the relations with their spaces, which responses do not contain. If there are several spaces,
// the relations of each are read separately. A relation belongs to the space of its memory, which is the
// most general field of its scope, so the spaces of users are read first.
export async function spacesOf(scope, entities, relations, read) {
  const spaces = [...new Set(entities.map(({ space }) => space))];
  const own = Object.entries(scope).map(([field, id]) => `${field.replace(/_id$/, "")}:${id}`)[0];
  const found = new Map();
  if (spaces.length > 1) {
    spaces.sort((a, b) => KINDS.indexOf(kindOf(a)) - KINDS.indexOf(kindOf(b)));
    for (const space of spaces) {
      const answer = await read(scopeOf(space, scope));
      for (const { memory_id: id } of answer.relations ?? []) {
        if (!found.has(id)) found.set(id, space);
      }
    }
  }
  const rest = spaces.length === 1 ? spaces[0] : own;
  return relations.map((each) => ({ ...each, space: found.get(each.memory_id) ?? rest }));
}

// Returns the entities, and the ends of relations that are not listed among them.
export function withEnds(entities, relations) {
  const all = new Map(entities.map((entity) => [idOf(entity), entity]));
  for (const { space, source, target, source_type, target_type } of relations) {
    for (const [name, type] of [[source, source_type], [target, target_type]]) {
      const end = { space, name, type };
      if (!all.has(idOf(end))) all.set(idOf(end), end);
    }
  }
  return [...all.values()];
}
