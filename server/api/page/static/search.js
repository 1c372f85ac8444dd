// Searches a scope, and shows how each arm of the search ranked each result.

import { call } from "./api.js";
import { byId, element } from "./dom.js";
import { moment } from "./format.js";
import { showHistory } from "./history.js";
import { ScopeForm } from "./scopes.js";

export class SearchView {
  constructor() {
    this.form = new ScopeForm("search", () => this.search());
  }

  open() {
    return this.form.refresh();
  }

  async search() {
    const answer = await call("MemoryService/SearchMemories", {
      ...this.form.scope,
      query: byId("query").value,
      top_k: Number(byId("top-k").value),
      explain: true,
    });
    const found = answer.results ?? [];
    const skipped = (answer.degraded ?? []).map((arm) => `${arm.arm} skipped: ${arm.reason}`);
    byId("degraded").textContent = [`${found.length} found`, ...skipped].join(" · ");
    byId("results").replaceChildren(...results(found));
  }
}

// The length of a bar is its share of the arm's best score in these results.
function results(found) {
  const best = {};
  for (const { arms = [] } of found) {
    for (const { arm, score = 0 } of arms) best[arm] = Math.max(best[arm] ?? 0, score);
  }
  return found.map((result) => resultItem(result, best));
}

function resultItem({ memory, passage, score = 0, arms = [] }, best) {
  return element(
    "li",
    { class: "card result" },
    element(
      "div",
      {},
      ...(memory ? memoryParts(memory) : passageParts(passage)),
    ),
    element(
      "div",
      { class: "arms" },
      element("strong", {}, `score ${score.toFixed(3)}`),
      ...arms.map((arm) => armBar(arm, best[arm.arm])),
    ),
  );
}

function memoryParts({ id, text, categories = [], event_time: time }) {
  return [
    element("p", { class: "text" }, text),
    ...categories.map((name) => element("span", { class: "tag" }, name)),
    element("span", { class: "quiet" }, moment(time), " "),
    element("button", { class: "link", click: () => showHistory(id) }, "history"),
  ];
}

function passageParts({ text, name, role, event_time: time }) {
  return [
    element("p", { class: "text" }, text),
    element("span", { class: "tag" }, `said by ${name ?? role}`),
    element("span", { class: "quiet" }, moment(time)),
  ];
}

function armBar({ arm, rank = 0, score = 0 }, best) {
  const label = `${arm}: rank ${rank}, score ${score.toFixed(3)}`;
  return element(
    "div",
    { class: "arm" },
    element("span", {}, arm),
    element("progress", { max: best || 1, value: Math.max(score, 0), "aria-label": label }),
    element("span", { class: "number" }, `#${rank} · ${score.toFixed(3)}`),
  );
}
