// Points by longitude and latitude (WGS84) over a graticule; no tiles, so no other server is asked for anything.
import { byId, draw, list, make, say, sized } from "./dom.js";
import { ago } from "./words.js";

const [HEIGHT, EDGE] = [340, 26];
const NEAR = 24; // pixels: a finger is no pencil
const TYPES = 6;

export class Plan {
  constructor(parent) {
    this.svg = draw("svg", { role: "img", tabindex: "0", height: HEIGHT });
    this.width = 560;
    this.entities = [];
    this.picked = null;
    this.types = [];
    parent.append(this.svg);
    sized(this.svg, (width) => {
      this.width = width;
      this.render();
    });
    this.svg.addEventListener("click", (event) => this.pick(this.nearest(event)));
    this.svg.addEventListener("keydown", (event) => this.step(event));
  }

  show(entities, now) {
    this.entities = entities;
    this.now = now;
    for (const { type } of entities) if (!this.types.includes(type)) this.types.push(type);
    this.render();
  }

  step(event) {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (event.key === "Escape") this.pick(null);
    if (!(event.key in steps) || !this.entities.length) return;
    event.preventDefault();
    const sorted = this.entities.map((each) => each.id).sort();
    const next = sorted.indexOf(this.picked) + steps[event.key];
    this.pick(sorted[(next + sorted.length) % sorted.length]);
  }

  nearest(event) {
    const box = this.svg.getBoundingClientRect();
    const { at } = fit(this.entities.map((each) => each.place), this.width);
    let [found, near] = [null, NEAR];
    for (const { id, place } of this.entities) {
      const [x, y] = at(place);
      const away = Math.hypot(x - (event.clientX - box.left), y - (event.clientY - box.top));
      if (away < near) [found, near] = [id, away];
    }
    return found;
  }

  pick(id) {
    this.picked = id;
    this.render();
  }

  render() {
    const view = fit(this.entities.map((each) => each.place), this.width);
    const shown = [...graticule(view)];
    for (const each of [...this.entities].reverse()) {
      const [x, y] = view.at(each.place);
      const age = (this.now - each.at) / 1000;
      const attributes = { cx: x.toFixed(1), cy: y.toFixed(1), r: age < 2 ? 7 : 5, class: this.color(each.type), "data-id": each.id };
      shown.push(draw("circle", attributes, draw("title", {}, told(each, this.now))));
    }
    const picked = this.entities.find((each) => each.id === this.picked);
    if (picked) {
      const [cx, cy] = view.at(picked.place);
      shown.push(draw("circle", { class: "ring", cx, cy, r: 10 }));
    }
    this.svg.replaceChildren(...shown);
    const label = `${this.entities.length} newest entities on a map; arrow keys go through them.`;
    this.svg.setAttribute("aria-label", picked ? told(picked, this.now) : label);
    this.tell(picked ?? this.entities[0], Boolean(picked));
  }

  color(type) {
    return `p${Math.min(this.types.indexOf(type), TYPES - 1)}`;
  }

  tell(entity, chosen) {
    say(byId("map-count"), this.entities.length ? `${this.entities.length} with a place` : "none with a place yet");
    list(byId("legend"), this.types, (type) => type, (type) => make("span", { class: this.color(type) }, type), () => {});
    say(byId("picked"), entity ? `${chosen ? "" : "Newest: "}${told(entity, this.now)}` : "");
  }
}

function told(entity, now) {
  const values = Object.entries(entity.values).map(([name, value]) => `${name} ${value}`);
  return [entity.id, ...values, ago(entity.at, now)].join(" · ");
}

// The smallest frame that holds all places, at least some hundred metres wide, true to scale in its middle.
function fit(places, wide) {
  const [lons, lats] = [places.map((p) => p[0]), places.map((p) => p[1])];
  const [west, east, south, north] = places.length
    ? [Math.min(...lons), Math.max(...lons), Math.min(...lats), Math.max(...lats)] : [-180, 180, -60, 75];
  const [lon, lat] = [(west + east) / 2, (south + north) / 2];
  const narrow = Math.max(0.05, Math.cos(lat * Math.PI / 180));
  const [across, up] = [wide - 2 * EDGE - 20, HEIGHT - 2 * EDGE];
  const scale = Math.min(across / Math.max((east - west) * narrow, 0.005), up / Math.max(north - south, 0.005));
  const at = ([x, y]) => [wide / 2 + 10 + (x - lon) * narrow * scale, HEIGHT / 2 - (y - lat) * scale];
  return { at, lon, lat, wide, width: wide / scale / narrow, height: HEIGHT / scale };
}

function* graticule({ at, lon, lat, wide, width, height }) {
  const [stepX, stepY] = [step(width / 4), step(height / 3)];
  for (const value of marks(lon, width, stepX)) {
    const [x] = at([value, lat]);
    yield draw("line", { class: "grid", x1: x, x2: x, y1: 0, y2: HEIGHT });
    yield draw("text", { x, y: HEIGHT - 6, "text-anchor": "middle" }, degrees(value, stepX, "E", "W"));
  }
  for (const value of marks(lat, height, stepY)) {
    const [, y] = at([lon, value]);
    yield draw("line", { class: "grid", x1: 0, x2: wide, y1: y, y2: y });
    yield draw("text", { x: 6, y: y - 4 }, degrees(value, stepY, "N", "S"));
  }
}

function step(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].map((n) => n * power).find((n) => n >= size);
}

function marks(middle, size, by) {
  const first = Math.ceil((middle - size / 2 + size * 0.08) / by);
  const last = Math.floor((middle + size / 2 - size * 0.06) / by);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * by);
}

function degrees(value, by, positive, negative) {
  const digits = Math.max(0, -Math.floor(Math.log10(by)));
  return `${Math.abs(value).toFixed(digits)}° ${value < 0 ? negative : positive}`;
}
