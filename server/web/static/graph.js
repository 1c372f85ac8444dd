// The entities of a scope and their relations, drawn by Cytoscape; the list beside the drawing
// is the same for the keyboard and for screen readers.

import { call } from "./api.js";
import { attempt, byId, colour, element } from "./dom.js";
import { showHistory } from "./history.js";
import { ScopeForm } from "./scopes.js";

const ENTITIES = 200;
const RELATIONS = 500;
const MEMORIES = 10;

export class GraphView {
  constructor() {
    this.form = new ScopeForm("graph", () => this.draw());
    byId("entities").addEventListener("change", (event) => this.choose(event.target.value));
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.graph?.style(style()));
  }

  open() {
    return this.form.refresh();
  }

  async draw() {
    this.drawn = this.form.scope;
    const [listed, related] = await Promise.all([
      call("GraphService/ListEntities", { ...this.drawn, page_size: ENTITIES }),
      call("GraphService/ListRelations", { ...this.drawn, page_size: RELATIONS }),
    ]);
    const relations = related.relations ?? [];
    const entities = withEnds(listed.entities ?? [], relations);
    const isPart = listed.next_page_token || related.next_page_token;
    byId("graph-status").textContent =
      `${entities.length} entities, ${relations.length} relations${isPart ? " (a part)" : ""}`;
    byId("entity").replaceChildren();
    byId("entities").replaceChildren(
      ...entities.map(({ name, type }) =>
        element("option", { value: name }, type ? `${name} (${type})` : name),
      ),
    );
    this.graph?.destroy();
    this.graph = drawing(byId("canvas"), entities, relations);
    this.graph.on("tap", "node", ({ target }) => {
      byId("entities").value = target.data("name");
      this.choose(target.data("name"));
    });
  }

  choose(name) {
    this.graph.elements().removeClass("chosen");
    const nodes = this.graph.nodes().filter((node) => node.data("name") === name);
    nodes.union(nodes.connectedEdges()).addClass("chosen");
    return attempt(() => this.showEntity(name));
  }

  async showEntity(name) {
    const found = await call("GraphService/GetEntity", { ...this.drawn, name, depth: 1 });
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

// An end of a relation may lie beyond the entities listed.
function withEnds(entities, relations) {
  const names = new Map(entities.map((entity) => [entity.name, entity]));
  for (const { source, target, source_type, target_type } of relations) {
    if (!names.has(source)) names.set(source, { name: source, type: source_type });
    if (!names.has(target)) names.set(target, { name: target, type: target_type });
  }
  return [...names.values()];
}

function drawing(container, entities, relations) {
  return cytoscape({
    container,
    elements: [
      ...entities.map(({ name, memory_count: memories = 1 }) => ({
        data: { id: `n:${name}`, name, size: 22 + 8 * Math.log2(1 + Number(memories)) },
      })),
      ...relations.map(({ source, relation, target }, index) => ({
        data: { id: `e:${index}`, source: `n:${source}`, target: `n:${target}`, relation },
      })),
    ],
    layout: {
      name: "cose", animate: false, padding: 30, nodeRepulsion: () => 200000,
      idealEdgeLength: () => 100, gravity: 0.6,
    },
    wheelSensitivity: 0.3,
    style: style(),
  });
}

function style() {
  return [
    {
      selector: "node",
      style: {
        label: "data(name)", width: "data(size)", height: "data(size)",
        "background-color": colour("accent"), color: colour("text"), "font-size": 12,
        "text-valign": "bottom", "text-margin-y": 4, "text-max-width": 140, "text-wrap": "ellipsis",
        "text-background-color": colour("card"), "text-background-opacity": 0.8,
      },
    },
    {
      selector: "edge",
      style: {
        label: "data(relation)", width: 1.5, "line-color": colour("line"),
        "target-arrow-color": colour("quiet"), "target-arrow-shape": "triangle",
        "curve-style": "bezier", "font-size": 10, color: colour("quiet"),
        "text-rotation": "autorotate",
        "text-background-color": colour("card"), "text-background-opacity": 0.8,
      },
    },
    { selector: "node.chosen", style: { "background-color": colour("third") } },
    { selector: "edge.chosen", style: { "line-color": colour("third") } },
  ];
}
