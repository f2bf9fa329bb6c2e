// A live plot of the last minute on a canvas: axes, curves, and the value under the pointer.

const SPAN_MS = 60000;
const GAP_MS = 1500; // a longer pause between two samples is left open
const LEFT = 46;
const BOTTOM = 20;
const TOP = 8;
const RIGHT = 6;

/** The smallest of 1, 2, 5 times a power of ten that is not below the value. */
export function niceCeiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value * 0.999999);
  return step * power;
}

/** Short text for an axis: 15000 is "15k". */
export function short(value) {
  for (const [size, sign] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= size * 10) return `${+(value / size).toPrecision(3)}${sign}`;
  }
  return value >= 1000 ? value.toFixed(0) : `${+value.toPrecision(3)}`;
}

export class Plot {
  #canvas;
  #curves;
  #unit;
  #least;
  #limit;
  #samples = []; // {at, values}, oldest first
  #pointed = null; // x of the pointer, in CSS pixels

  /**
   * curves: [{name, color}], the color a CSS variable. unit: what the axis counts.
   * limit: where the axis ends; without it, it fits the values, and is not below least.
   */
  constructor(canvas, { curves, unit, least = 1, limit = null }) {
    this.#canvas = canvas;
    this.#curves = curves;
    this.#unit = unit;
    this.#least = least;
    this.#limit = limit;
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "img");
    canvas.addEventListener("pointermove", (event) => this.#point(event.offsetX));
    canvas.addEventListener("pointerleave", () => this.#point(null));
    canvas.addEventListener("blur", () => this.#point(null));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** Adds one sample: at in milliseconds, a value or null for each curve. */
  add(at, values) {
    this.#samples.push({ at, values });
    const first = this.#samples.findIndex((sample) => sample.at >= at - SPAN_MS);
    this.#samples.splice(0, first);
    this.#draw();
  }

  clear() {
    this.#samples = [];
    this.#draw();
  }

  get #width() { return this.#canvas.clientWidth; }
  get #height() { return this.#canvas.clientHeight; }
  get #now() { return this.#samples.at(-1)?.at ?? 0; }

  #x(at) {
    return LEFT + ((at - this.#now + SPAN_MS) / SPAN_MS) * (this.#width - LEFT - RIGHT);
  }

  #y(value, ceiling) {
    return this.#height - BOTTOM - (Math.min(value, ceiling) / ceiling) * (this.#height - BOTTOM - TOP);
  }

  #point(x) {
    this.#pointed = x;
    this.#draw();
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") this.#point(null);
    if (!step || !this.#samples.length) return;
    event.preventDefault();
    const pixels = (this.#width - LEFT - RIGHT) / 60;
    const x = (this.#pointed ?? this.#width - RIGHT) + step * pixels;
    this.#point(Math.max(LEFT, Math.min(this.#width - RIGHT, x)));
  }

  #draw() {
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(this.#width * ratio), Math.round(this.#height * ratio)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    const pen = this.#canvas.getContext("2d");
    const style = getComputedStyle(this.#canvas);
    const color = (name) => style.getPropertyValue(name);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.#width, this.#height);
    pen.font = `11px ${color("--sans")}`;
    const highest = Math.max(this.#least, ...this.#samples.flatMap((sample) => sample.values));
    const ceiling = this.#limit ?? niceCeiling(highest);
    this.#drawAxes(pen, color, ceiling);
    this.#curves.forEach((curve, index) => this.#drawCurve(pen, color(curve.color), index, ceiling));
    if (this.#pointed !== null) this.#drawReading(pen, color, ceiling);
  }

  #drawAxes(pen, color, ceiling) {
    pen.textBaseline = "middle";
    pen.textAlign = "right";
    pen.lineWidth = 1;
    for (const part of [0, 0.5, 1]) {
      const y = Math.round(this.#y(ceiling * part, ceiling)) + 0.5;
      pen.strokeStyle = color("--line");
      pen.beginPath();
      pen.moveTo(LEFT, y);
      pen.lineTo(this.#width - RIGHT, y);
      pen.stroke();
      pen.fillStyle = color("--muted");
      pen.fillText(short(ceiling * part), LEFT - 6, y);
    }
    pen.textBaseline = "alphabetic";
    const base = this.#height - 4;
    pen.textAlign = "left";
    pen.fillText(this.#unit, LEFT + 4, TOP + 13);
    pen.fillText("−60 s", LEFT, base);
    pen.textAlign = "center";
    pen.fillText("−30 s", (LEFT + this.#width - RIGHT) / 2, base);
    pen.textAlign = "right";
    pen.fillText("now", this.#width - RIGHT, base);
  }

  #drawCurve(pen, color, index, ceiling) {
    pen.strokeStyle = color;
    pen.lineWidth = 1.75;
    pen.lineJoin = "round";
    pen.beginPath();
    let before = -Infinity;
    for (const { at, values } of this.#samples) {
      if (values[index] === null) {
        before = -Infinity;
        continue;
      }
      const [x, y] = [this.#x(at), this.#y(values[index], ceiling)];
      if (at - before > GAP_MS) pen.moveTo(x, y);
      else pen.lineTo(x, y);
      before = at;
    }
    pen.stroke();
  }

  #drawReading(pen, color, ceiling) {
    const sample = this.#nearest(this.#pointed);
    if (!sample) return;
    const x = this.#x(sample.at);
    pen.strokeStyle = color("--muted");
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, TOP);
    pen.lineTo(x, this.#height - BOTTOM);
    pen.stroke();
    const lines = [`${((sample.at - this.#now) / 1000).toFixed(1).replace("-", "−")} s`];
    this.#curves.forEach((curve, index) => {
      const value = sample.values[index];
      if (value === null) return;
      pen.fillStyle = color(curve.color);
      pen.beginPath();
      pen.arc(x, this.#y(value, ceiling), 3.5, 0, 2 * Math.PI);
      pen.fill();
      const name = this.#curves.length > 1 ? `${curve.name} ` : "";
      lines.push(`${name}${short(value)} ${this.#unit}`);
    });
    this.#drawLabel(pen, color, x, lines);
    this.#canvas.setAttribute("aria-label", lines.join(", "));
  }

  #nearest(x) {
    const distance = (sample) => Math.abs(this.#x(sample.at) - x);
    return this.#samples.reduce(
      (best, sample) => (best && distance(best) <= distance(sample) ? best : sample),
      null,
    );
  }

  #drawLabel(pen, color, x, lines) {
    const width = Math.max(...lines.map((text) => pen.measureText(text).width)) + 16;
    const height = lines.length * 15 + 8;
    const left = x + 10 + width < this.#width ? x + 10 : x - 10 - width;
    pen.fillStyle = color("--surface");
    pen.strokeStyle = color("--line");
    pen.beginPath();
    pen.roundRect(left, TOP + 2, width, height, 6);
    pen.fill();
    pen.stroke();
    pen.fillStyle = color("--text");
    pen.textAlign = "left";
    lines.forEach((text, index) => pen.fillText(text, left + 8, TOP + 17 + index * 15));
  }
}
