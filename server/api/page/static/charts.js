// Line charts of the last minutes, drawn by uPlot.

import { colour } from "./dom.js";
import { count, decimal } from "./format.js";

const POINTS = 180;
const HEIGHT = 150;
const NARROWEST_TICKS = 70;
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

export class LineChart {
  constructor(place, labels) {
    this.data = [[], ...labels.map(() => [])];
    const stroke = ["accent", "second", "third"];
    // Functions, so that each drawing uses the current colours, light or dark.
    const axis = {
      font: "11px system-ui, sans-serif",
      stroke: () => colour("quiet"),
      grid: { stroke: () => colour("line"), width: 1 },
    };
    this.plot = new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        cursor: { y: false },
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(high * 1.1, 1)] } },
        axes: [
          { ...axis, space: NARROWEST_TICKS, values: (_plot, times) => times.map(asClock) },
          { ...axis, size: 44 },
        ],
        series: [
          { label: "at", value: (plot, time) => asClock(time ?? plot.data[0].at(-1)) },
          ...labels.map((label, i) => ({
            label, stroke: () => colour(stroke[i]), width: 2, points: { show: false },
            // The value at the pointer, or else the newest.
            value: (plot, value, series, at) =>
              figure(at === null ? plot.data[series].at(-1) : value),
          })),
        ],
      },
      this.data,
      place,
    );
    new ResizeObserver(() => {
      if (place.clientWidth) this.plot.setSize({ width: place.clientWidth, height: HEIGHT });
    }).observe(place);
  }

  add(time, values) {
    [time, ...values].forEach((value, i) => {
      this.data[i].push(value);
      if (this.data[i].length > POINTS) this.data[i].shift();
    });
    this.plot.setData(this.data);
  }
}

const asClock = (seconds) => (seconds === undefined ? "" : clock.format(seconds * 1000));

const figure = (value) => {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? count(value) : decimal(value);
};
