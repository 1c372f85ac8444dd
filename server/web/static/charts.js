// Lines over the last minutes, drawn by uPlot.

import { colour } from "./dom.js";

const POINTS = 180;
const HEIGHT = 150;

export class LineChart {
  constructor(place, labels) {
    this.data = [[], ...labels.map(() => [])];
    const stroke = ["accent", "second", "third"];
    // Asked for at each drawing, so that they follow a change between light and dark.
    const axis = {
      stroke: () => colour("quiet"),
      grid: { stroke: () => colour("line"), width: 1 },
    };
    this.plot = new uPlot(
      {
        width: place.clientWidth,
        height: HEIGHT,
        cursor: { y: false },
        scales: { y: { range: (_plot, _low, high) => [0, Math.max(high * 1.1, 1)] } },
        axes: [axis, { ...axis, size: 44 }],
        series: [
          {},
          ...labels.map((label, i) => ({ label, stroke: () => colour(stroke[i]), width: 2 })),
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
