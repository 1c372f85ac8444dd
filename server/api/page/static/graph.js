// The entities of a scope and their relations, drawn by Cytoscape. The list beside the drawing shows
// the same for the keyboard and for screen readers.

import { call } from "./api.js";
import { attempt, byId, element } from "./dom.js";
import { drawing, restyled } from "./drawing.js";
import { showHistory } from "./history.js";
import { ScopeForm } from "./scopes.js";
import { idOf, scopeOf, spacesOf, withEnds } from "./spaces.js";

const ENTITIES = 200;
const RELATIONS = 500;
const MEMORIES = 10;

export class GraphView {
  constructor() {
    this.form = new ScopeForm("graph", () => this.draw());
    byId("entities").addEventListener("change", (event) => this.choose(event.target.value));
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => restyled(this.graph));
  }

  open() {
    return this.form.refresh();
  }

  async draw() {
    const scope = this.form.scope;
    const [listed, related] = await Promise.all([
      call("GraphService/ListEntities", { ...scope, page_size: ENTITIES }),
      relationsOf(scope),
    ]);
    const found = listed.entities ?? [];
    const relations = await spacesOf(scope, found, related.relations ?? [], relationsOf);
    const entities = withEnds(found, relations);
    const isPart = listed.next_page_token || related.next_page_token;
    this.drawn = { scope, entities: new Map(entities.map((entity) => [idOf(entity), entity])) };
    byId("graph-status").textContent =
      `${entities.length} entities, ${relations.length} relations${isPart ? " (a part)" : ""}`;
    byId("entity").replaceChildren();
    byId("entities").replaceChildren(...options(entities));
    this.graph?.destroy();
    this.graph = drawing(byId("canvas"), entities, relations);
    this.graph.on("tap", "node", ({ target }) => {
      byId("entities").value = target.id();
      this.choose(target.id());
    });
  }

  choose(id) {
    this.graph.elements().removeClass("chosen");
    const node = this.graph.getElementById(id);
    node.union(node.connectedEdges()).addClass("chosen");
    return attempt(() => this.showEntity(this.drawn.entities.get(id)));
  }

  async showEntity({ name, space }) {
    const scope = scopeOf(space, this.drawn.scope);
    const found = await call("GraphService/GetEntity", { ...scope, name, depth: 1 });
    const relations = found.relations ?? [];
    const ids = [...new Set(relations.map((relation) => relation.memory_id))].slice(0, MEMORIES);
    const asked = ids.map((id) => call("MemoryService/GetMemory", { id }));
    const memories = (await Promise.allSettled(asked))
      .filter(({ status }) => status === "fulfilled")
      .map(({ value }) => value.memory);
    const aliases = found.entity.aliases ?? [];
    byId("entity").replaceChildren(
      element("h3", {}, found.entity.name),
      aliases.length ? element("p", { class: "quiet" }, `also ${aliases.join(", ")}`) : "",
      element(
        "ul",
        { "aria-label": "Relations" },
        ...relations.map(({ source, relation, target }) =>
          element("li", {}, `${source} `, element("span", { class: "tag" }, relation), target),
        ),
      ),
      element("h3", {}, "Memories"),
      element(
        "ul",
        { "aria-label": "Memories" },
        ...memories.map(({ id, text }) =>
          element("li", {}, element("button", { class: "link", click: () => showHistory(id) }, text)),
        ),
      ),
    );
  }
}

const relationsOf = (scope) =>
  call("GraphService/ListRelations", { ...scope, page_size: RELATIONS });

// If there are several spaces, each option shows its space, because a name can occur in both.
function options(entities) {
  const isOne = new Set(entities.map(({ space }) => space)).size < 2;
  return entities.map((entity) => {
    const { name, type, space } = entity;
    const label = type ? `${name} (${type})` : name;
    return element("option", { value: idOf(entity) }, isOne ? label : `${label} · ${space}`);
  });
}
