// The statistics of the service, read again every two seconds while they are shown.

import { call } from "./api.js";
import { LineChart } from "./charts.js";
import { attempt, byId, element, table } from "./dom.js";
import { count, methodName, milliseconds, moment, seconds } from "./format.js";

const INTERVAL = 2000;
const OWN = "StatisticsService";
const ADD = "memoir.v1.MemoryService/AddMemories";
const SEARCH = "memoir.v1.MemoryService/SearchMemories";

const total = (method) =>
  Object.values(method.requests_by_status ?? {}).reduce((sum, each) => sum + Number(each), 0);

const calls = (window) =>
  (window.methods ?? [])
    .filter((method) => !method.method.includes(OWN))
    .reduce((sum, method) => sum + total(method), 0);

const p95 = (window, name) =>
  (window.methods ?? []).find((method) => method.method === name)?.latency?.p95_ms ?? null;

// Streams have no latencies.
const latency = (figures = {}) =>
  [figures.p50_ms, figures.p95_ms, figures.p99_ms].map((value) =>
    Number(figures.count ?? 0) ? milliseconds(value) : "–",
  );
const PERCENTILES = ["p50 ms", "p95 ms", "p99 ms"];

export class StatisticsView {
  constructor() {
    this.previous = null;
    this.latest = null;
    byId("window").addEventListener("change", () => this.showWindow());
  }

  // Reads one after another until `isShown` returns false.
  async run(isShown) {
    while (isShown()) {
      const answer = await attempt(() => call("StatisticsService/GetStatistics"));
      if (answer) this.show(answer.statistics);
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
  }

  show(statistics) {
    this.latest = statistics;
    this.showFigures(statistics);
    this.showCharts(statistics);
    this.showWindow();
  }

  showFigures({ store = {}, queue = {}, graph = {}, pool = {} }) {
    const figure = (name, value, isBad = false) =>
      element(
        "div",
        isBad ? { class: "bad" } : {},
        element("dt", {}, name),
        element("dd", {}, value),
      );
    byId("figures").replaceChildren(
      figure("memories", count(store.memories)),
      figure("messages", count(store.messages)),
      figure("scopes", count(store.scopes)),
      figure("entities", count(store.entities)),
      figure("relations", count(store.relations)),
      figure("queued", count(queue.depth)),
      figure("given up", count(queue.given_up), Number(queue.given_up) > 0),
      figure("graph", graph.available ? "up" : "down", !graph.available),
      figure("graph lag", `${seconds(graph.lag).toFixed(1)} s`),
      figure("connections", `${(pool.size ?? 0) - (pool.idle ?? 0)}/${pool.max_size ?? 0}`),
    );
  }

  showCharts({ time, start_time: start, last_minute: minute, since_start: all, queue, graph }) {
    this.charts ??= {
      calls: new LineChart(byId("chart-calls"), ["calls/s"]),
      latency: new LineChart(byId("chart-latency"), ["add", "search"]),
      waiting: new LineChart(byId("chart-waiting"), ["operations", "graph"]),
    };
    const now = { time: Date.parse(time) / 1000, calls: calls(all), start };
    const before = this.previous;
    this.previous = now;
    // A different start time means another or a restarted server, whose counts are not comparable.
    if (before && before.start === now.start && now.time > before.time) {
      this.charts.calls.add(now.time, [(now.calls - before.calls) / (now.time - before.time)]);
    }
    this.charts.latency.add(now.time, [p95(minute, ADD), p95(minute, SEARCH)]);
    this.charts.waiting.add(now.time, [Number(queue?.depth ?? 0), Number(graph?.pending ?? 0)]);
  }

  showWindow() {
    if (!this.latest) return;
    const window = this.latest[byId("window").value] ?? {};
    byId("methods").replaceChildren(...methods(window.methods ?? []));
    byId("stages").replaceChildren(...stages(window.stages ?? []));
    byId("models").replaceChildren(...models(window.models ?? []));
    byId("arms").replaceChildren(...arms(window.search_arms ?? []));
    byId("slowest").replaceChildren(...slowest(window.slowest_requests ?? []));
  }
}

// Calls that were cancelled by their clients did not fail.
const NO_FAULTS = ["OK", "CANCELLED"];

const failures = (method) =>
  NO_FAULTS.reduce((rest, each) => rest - Number(method.requests_by_status?.[each] ?? 0), total(method));

const methods = (rows) =>
  table(
    "Methods",
    ["method", "calls", "failed", ...PERCENTILES],
    rows.map((row) => [
      methodName(row.method), count(total(row)), count(failures(row)), ...latency(row.latency),
    ]),
  );

const stages = (rows) =>
  table(
    "Stages",
    ["stage", "times", ...PERCENTILES],
    rows.map((row) => [row.stage, count(row.latency?.count), ...latency(row.latency)]),
  );

const models = (rows) =>
  table(
    "Models",
    ["model", "calls", "failed", "tokens in", "out", "p95 ms"],
    rows.map((row) => [
      row.model, count(row.calls), count(row.failures), count(row.input_tokens),
      count(row.output_tokens), milliseconds(row.latency?.p95_ms),
    ]),
  );

const arms = (rows) =>
  table(
    "Search arms",
    ["arm", "runs", "skips"],
    rows.map((row) => [row.arm, count(row.runs), count(row.skips)]),
  );

const slowest = (rows) =>
  table(
    "Slowest requests",
    ["method", "status", "ms", "ended", "correlation id"],
    rows.map((row) => [
      methodName(row.method), row.status, milliseconds(row.duration_ms), moment(row.time),
      row.correlation_id,
    ]),
  );
