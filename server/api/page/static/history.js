// The events of a memory, newest last, and the calls that caused them.

import { call } from "./api.js";
import { attempt, byId, element } from "./dom.js";
import { moment } from "./format.js";

const EVENTS = 200;

export function showHistory(id) {
  return attempt(async () => {
    const answer = await call("MemoryService/ListMemoryEvents", { id, page_size: EVENTS });
    byId("memory-id").textContent = id;
    const items = (answer.events ?? []).map(eventItem);
    if (answer.next_page_token) items.push(element("li", { class: "quiet" }, `Only the first ${EVENTS} events are shown.`));
    byId("events").replaceChildren(...items);
    if (!byId("memory").open) byId("memory").showModal();
  });
}

function eventItem({ type, version, time, before, after, provenance = {} }) {
  return element(
    "li",
    {},
    element("strong", {}, type),
    element("span", { class: "quiet" }, ` version ${version} · ${moment(time)}`),
    before ? element("p", { class: "text" }, element("del", {}, before.text)) : null,
    after ? element("p", { class: "text" }, element("ins", {}, after.text)) : null,
    ...(provenance.evidence ?? []).map(({ quote }) =>
      element("p", { class: "quiet" }, "evidence: “", quote ?? "", "”"),
    ),
    element(
      "p",
      { class: "mono quiet" },
      `${provenance.language_model ?? "verbatim"} · correlation id ${provenance.correlation_id ?? ""}`,
    ),
  );
}
