// A line plot of the last five minutes. Pointer or arrow keys read out one second of it.
import { draw, make, say, sized } from "./dom.js";

const [HEIGHT, LEFT, BOTTOM, TOP] = [190, 58, 20, 10];
const NARROW = 300; // pixels of the plot itself, with room for two words of time
const [SHORTEST, LONGEST] = [60_000, 300_000];

export class Plot {
  constructor(figure, series, format, column) {
    Object.assign(this, { series, format, column, points: [], at: null, span: SHORTEST, width: 560 });
    this.svg = draw("svg", { role: "img", tabindex: "0", height: HEIGHT });
    this.keys = make("p", { class: "keys" });
    this.values = series.map((name, i) => {
      const value = make("b", { "data-series": name });
      this.keys.append(make("span", { class: `s${i}` }, `${name} `, value));
      return value;
    });
    this.when = make("small");
    this.keys.append(this.when);
    figure.append(this.svg, this.keys);
    sized(this.svg, (width) => {
      this.width = width;
      this.render();
    });
    this.svg.addEventListener("pointermove", (event) => this.pick(this.under(event)));
    this.svg.addEventListener("pointerleave", () => this.pick(null));
    this.svg.addEventListener("blur", () => this.pick(null));
    this.svg.addEventListener("keydown", (event) => this.step(event));
  }

  show(points) {
    this.points = points;
    this.span = Math.min(LONGEST, Math.max(SHORTEST, this.end() - (points[0]?.[0] ?? 0)));
    this.render();
  }

  under(event) {
    const box = this.svg.getBoundingClientRect();
    const share = (event.clientX - box.left - LEFT) / (this.width - LEFT);
    return this.end() - (1 - share) * this.span;
  }

  step(event) {
    const steps = { ArrowLeft: -1000, ArrowRight: 1000, PageUp: -30_000, PageDown: 30_000 };
    if (event.key === "Escape") this.pick(null);
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.pick(Math.min(this.end(), Math.max(this.end() - this.span, (this.at ?? this.end()) + steps[event.key])));
  }

  pick(at) {
    this.at = at;
    this.render();
  }

  end() {
    return this.points.at(-1)?.[0] ?? 0;
  }

  x(ms) {
    return LEFT + (this.width - LEFT) * (1 - (this.end() - ms) / this.span);
  }

  render() {
    const top = nice(Math.max(...this.points.flatMap((p) => this.series.map((_, i) => p[this.column + i] ?? 0)), 0));
    const y = (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
    const shown = [...this.grid(top, y)];
    this.series.forEach((_, i) => shown.push(...this.lines(i, y)));
    const point = this.chosen();
    if (this.at !== null && point) {
      shown.push(draw("line", { class: "cross", x1: this.x(point[0]), x2: this.x(point[0]), y1: TOP, y2: HEIGHT - BOTTOM }));
    }
    this.svg.replaceChildren(...shown);
    this.tell(point);
  }

  * grid(top, y) {
    for (const part of [0, 0.5, 1]) {
      yield draw("line", { class: "grid", x1: LEFT, x2: this.width, y1: y(top * part), y2: y(top * part) });
      yield draw("text", { x: LEFT - 8, y: y(top * part) + 4, "text-anchor": "end" }, this.format(top * part));
    }
    const wide = this.width - LEFT > NARROW ? 1 : 2;
    const by = this.span > 150_000 ? 120_000 : this.span > 80_000 ? 60_000 * wide : 20_000 * wide;
    for (let back = by; back < this.span * 0.95; back += by) {
      const words = by < 60_000 ? `${back / 1000} s ago` : `${back / 60_000} min ago`;
      yield draw("text", { x: this.x(this.end() - back), y: HEIGHT - 4, "text-anchor": "middle" }, words);
    }
    yield draw("text", { x: this.width, y: HEIGHT - 4, "text-anchor": "end" }, "now");
  }

  * lines(i, y) {
    let run = [];
    const runs = [run];
    let before = null;
    for (const p of this.points) {
      const value = p[this.column + i];
      if (value === null || (before !== null && p[0] - before > 5000)) runs.push(run = []);
      if (value !== null) run.push(`${this.x(p[0]).toFixed(1)},${y(value).toFixed(1)}`);
      before = p[0];
    }
    for (const each of runs.filter((found) => found.length)) {
      const [first, last] = [each[0].split(",")[0], each.at(-1).split(",")[0]];
      if (i === 0) yield draw("polygon", { class: "fill", points: `${first},${y(0)} ${each.join(" ")} ${last},${y(0)}` });
      if (each.length > 1) yield draw("polyline", { class: `line s${i}`, points: each.join(" ") });
      else yield draw("circle", { class: `point s${i}`, cx: first, cy: each[0].split(",")[1], r: 2.5 });
    }
  }

  chosen() {
    if (this.at === null) return this.points.at(-1);
    return this.points.reduce((best, p) => (best && Math.abs(best[0] - this.at) < Math.abs(p[0] - this.at) ? best : p), null);
  }

  tell(point) {
    const values = this.series.map((_, i) => (point && point[this.column + i] !== null ? this.format(point[this.column + i]) : "–"));
    values.forEach((value, i) => say(this.values[i], value));
    say(this.when, this.at !== null && point ? new Date(point[0]).toLocaleTimeString() : "");
    this.svg.setAttribute("aria-label", this.series.map((name, i) => `${name} ${values[i]}`).join(", "));
  }
}

function nice(largest) {
  if (largest <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(largest));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((n) => n * power).find((n) => n >= largest);
}
