// Graph spaces: an entity is one within its space, such as `user:alice`. Another space may have an
// entity of the same name that has nothing to do with it.

const KINDS = ["user", "agent", "app", "run"];

export const idOf = ({ space, name }) => JSON.stringify([space, name]);

const kindOf = (space) => space.slice(0, space.indexOf(":"));

// The scope, narrowed to what belongs to a space.
export const scopeOf = (space, scope) => ({
  ...scope,
  [`${kindOf(space)}_id`]: space.slice(space.indexOf(":") + 1),
});

// The relations with the space of each, which they do not say themselves. Where there are several,
// those of each space are read by themselves: a memory belongs to one, and its relations with it.
// The most general part of a scope is its space, so what has a user is taken first.
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

// The entities, and those at the ends of relations that lie beyond the ones listed.
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
