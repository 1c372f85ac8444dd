// The page: asks for a key, then shows tabs.

import { call, forget, hasKey, remember } from "./api.js";
import { attempt, byId } from "./dom.js";
import { GraphView } from "./graph.js";
import { SearchView } from "./search.js";
import { StatisticsView } from "./statistics.js";

const tabs = [...document.querySelectorAll("[role=tab]")];
const statistics = new StatisticsView();
const views = { search: new SearchView(), graph: new GraphView() };
let watched = 0;

function show(name) {
  for (const tab of tabs) {
    const isChosen = tab.getAttribute("aria-controls") === name;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
    byId(tab.getAttribute("aria-controls")).hidden = !isChosen;
  }
  views[name]?.open();
  watched += 1;
  const turn = watched;
  if (name === "statistics") statistics.run(() => watched === turn);
}

function enter() {
  byId("login").hidden = true;
  document.querySelector("nav").hidden = false;
  byId("leave").hidden = false;
  show("statistics");
}

// The arrow keys move between tabs, as https://www.w3.org/WAI/ARIA/apg/patterns/tabs/ asks.
function move(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
  next.focus();
  next.click();
}

for (const tab of tabs) {
  tab.addEventListener("click", () => show(tab.getAttribute("aria-controls")));
  tab.addEventListener("keydown", move);
}

byId("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  remember(byId("key").value.trim(), byId("project").value.trim());
  const answer = await attempt(() => call("StatisticsService/GetStatistics"));
  if (!answer) return forget();
  byId("key").value = "";
  enter();
});

byId("leave").addEventListener("click", () => {
  forget();
  location.reload();
});

if (hasKey()) enter();
