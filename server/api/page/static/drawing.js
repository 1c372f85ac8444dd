// Draws the graph: entities have the colour of their type, and are larger if more memories mention them.

import { colour } from "./dom.js";
import { idOf } from "./spaces.js";

const PADDING = 36;
const WIDEST = 2.5;
const LARGEST = 1.4;
const COLOURS = { person: "accent", place: "second", organization: "third" };

export function drawing(container, entities, relations) {
  const end = (space, name) => idOf({ space, name });
  const graph = cytoscape({
    container,
    elements: [
      ...entities.map((entity) => ({
        data: {
          id: idOf(entity), name: entity.name, type: entity.type,
          size: 18 + 6 * Math.log2(1 + Number(entity.memory_count ?? 1)),
        },
      })),
      ...relations.map(({ space, source, relation, target }, index) => ({
        data: {
          id: `e:${index}`, relation, source: end(space, source), target: end(space, target),
        },
      })),
    ],
    layout: {
      name: "cose", animate: false, randomize: false, idealEdgeLength: () => 60,
      nodeRepulsion: () => 100000, gravity: 0.4, numIter: 2000, fit: false,
    },
    wheelSensitivity: 0.3,
    style: style(),
  });
  stretch(graph);
  return graph;
}

// The layout is about square, but the space for it is wider.
function stretch(graph) {
  const { w: width, h: height } = graph.nodes().boundingBox({ includeLabels: false });
  const shape = (graph.width() - 2 * PADDING) / (graph.height() - 2 * PADDING);
  const factor = Math.min(Math.max((shape * height) / width, 1), WIDEST);
  graph.nodes().positions((node) => ({ x: node.position("x") * factor, y: node.position("y") }));
  graph.fit(undefined, PADDING);
  if (graph.zoom() > LARGEST) {
    graph.zoom(LARGEST);
    graph.center();
  }
}

export const restyled = (graph) => graph?.style(style());

function style() {
  return [
    {
      selector: "node",
      style: {
        label: "data(name)", width: "data(size)", height: "data(size)",
        "background-color": (node) => colour(COLOURS[node.data("type")] ?? "quiet"),
        color: colour("text"), "font-size": 12, "text-valign": "bottom", "text-margin-y": 4,
        "text-max-width": 140, "text-wrap": "ellipsis", "text-background-color": colour("card"),
        "text-background-opacity": 0.8, "text-background-padding": 1,
      },
    },
    {
      selector: "edge",
      style: {
        label: "data(relation)", width: 1.5, "line-color": colour("line"), "arrow-scale": 0.9,
        "target-arrow-color": colour("quiet"), "target-arrow-shape": "triangle",
        "curve-style": "bezier", "font-size": 10, color: colour("quiet"),
        "text-rotation": "autorotate", "text-background-color": colour("card"),
        "text-background-opacity": 0.9, "text-background-padding": 1,
      },
    },
    {
      selector: "node.chosen",
      style: { "border-width": 4, "border-color": colour("text"), "font-weight": "bold" },
    },
    {
      selector: "edge.chosen",
      style: { width: 2.5, "line-color": colour("quiet"), color: colour("text") },
    },
  ];
}
