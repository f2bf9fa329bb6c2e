// Pictures at a steady rate, each acknowledged once it is shown.
import { Client } from "/upwire.js";
import { showHandshake } from "./handshake.js";
import { Plot } from "./plot.js";
import { showStatus } from "./status.js";

const HEAD_OCTETS = 16; // number u32, width u16, height u16, painted at (ms) f64
const SLOW_MS = 150;
const REPORT_MS = 250;
const WINDOW = 4; // pictures on their way
const STOPS = [
  [18, 22, 58], [44, 72, 190], [128, 84, 216], [226, 104, 140], [255, 176, 108], [120, 60, 130],
];

const field = (id) => document.getElementById(id);
const screen = field("screen").getContext("2d");
const image = screen.createImageData(192, 108);
const points = new Uint32Array(image.data.buffer);
const plot = new Plot(field("lag-plot"), {
  curves: [{ name: "lag", color: "--accent" }], unit: "ms", least: 100,
});

let last = null; // number of the picture shown last
let fastest = Infinity; // the least difference of the two clocks: the path without a queue
let counts = { shown: 0, octets: 0, lag: 0 };
let skipped = 0;
let reported = performance.now();

/** 256 colors around the circle of STOPS, which turns with the picture's number. */
function palette(number) {
  const colors = new Uint32Array(256);
  for (let index = 0; index < 256; index++) {
    const place = ((index / 256 + number / 600) % 1) * STOPS.length;
    const [from, to] = [STOPS[Math.floor(place)], STOPS[Math.ceil(place) % STOPS.length]];
    const [red, green, blue] = from.map((value, part) => value + (to[part] - value) * (place % 1));
    colors[index] = 0xff000000 | (blue << 16) | (green << 8) | red;
  }
  return colors;
}

function show(octets) {
  const head = new DataView(octets);
  const number = head.getUint32(0);
  const pixels = new Uint8Array(octets, HEAD_OCTETS);
  const colors = palette(number);
  for (let index = 0; index < points.length; index++) points[index] = colors[pixels[index]];
  screen.putImageData(image, 0, 0);
  if (field("slow").checked) spend(SLOW_MS);

  const difference = Date.now() - head.getFloat64(8);
  fastest = Math.min(fastest, difference);
  if (last !== null) skipped += Math.max(0, number - last - 1);
  last = number;
  counts = {
    shown: counts.shown + 1,
    octets: counts.octets + octets.byteLength,
    lag: difference - fastest,
  };
  field("number").textContent = number;
}

/** Keeps the tab's only thread busy, as a heavy page would. */
function spend(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

function report() {
  const now = performance.now();
  const seconds = (now - reported) / 1000;
  if (seconds * 1000 < REPORT_MS) return;
  field("rate").textContent = (counts.shown / seconds).toFixed(0);
  field("octets").textContent = (counts.octets / seconds / 1024).toFixed(0);
  field("lag").textContent = counts.lag.toFixed(0);
  field("skipped").textContent = skipped;
  plot.add(Date.now(), [counts.lag]);
  counts = { shown: 0, octets: 0, lag: counts.lag };
  reported = now;
}

const client = new Client("/ws/stream");
const room = client.join("stream", { window: WINDOW });
room.addEventListener("publication", ({ detail }) => {
  show(detail.data); // and when that is done, the client tells the server so
  report();
});
client.addEventListener("state", () => {
  last = null;
  fastest = Infinity;
});
field("window").addEventListener("change", () => {
  // Without a connection, the next one begins with it.
  room.update({ window: field("window").checked ? WINDOW : 0 }).catch(() => {});
});
showStatus(client);
showHandshake(client);
client.connect();
