// The machine and the proxy, four times a second.
import { Client } from "/upwire.js";
import { showHandshake } from "./handshake.js";
import { Plot, short } from "./plot.js";
import { showStatus } from "./status.js";

const HISTORY = 240; // samples: a minute
const MIB = 2 ** 20;
const GIB = 2 ** 30;
const first = (name) => ({ name, color: "--accent" });
const second = (name) => ({ name, color: "--second" });

// Each card: its title, unit and curves, and how a sample becomes the curves' values. The axis
// reaches to the limit, where there is one; otherwise as far as the values need, or `least`.
const CARDS = {
  machine: [
    {
      title: "CPU", unit: "%", limit: () => 100, curves: [first("busy")],
      read: (machine) => [machine.cpu_percent],
    },
    {
      title: "Memory in use", unit: "GiB", curves: [first("used")],
      limit: (machine) => machine.memory_total_octets / GIB,
      read: (machine) => [machine.memory_used_octets / GIB],
    },
    {
      title: "TCP sockets", unit: "sockets", least: 10, curves: [first("in use")],
      read: (machine) => [machine.tcp_sockets],
    },
    {
      title: "Network", unit: "packets/s", least: 10, curves: [first("in"), second("out")],
      read: (machine) => [machine.packets_in_per_s, machine.packets_out_per_s],
    },
  ],
  proxy: [
    {
      title: "CPU", unit: "% of a core", least: 10, curves: [first("busy")],
      read: (proxy) => [proxy.cpu_percent],
    },
    {
      title: "Memory", unit: "MiB", least: 16, curves: [first("resident")],
      read: (proxy) => [proxy.memory_octets === null ? null : proxy.memory_octets / MIB],
    },
    {
      title: "Connections", unit: "open", least: 4, curves: [first("all"), second("tunnels")],
      read: (proxy) => [proxy.connections, proxy.tunnels],
    },
    {
      title: "Messages", unit: "messages/s", least: 10, curves: [first("out"), second("in")],
      read: (proxy) => [proxy.messages_out_per_s, proxy.messages_in_per_s],
    },
  ],
};

function mount(place, { title, unit, least, curves, limit, read }) {
  const card = document.createElement("article");
  card.className = "card";
  const heading = document.createElement("h3");
  heading.className = "small";
  heading.textContent = title;
  const reading = document.createElement("p");
  reading.className = "reading";
  const values = curves.map(({ name, color }) => {
    const output = document.createElement("output");
    const label = document.createElement("small");
    label.textContent = curves.length > 1 ? name : unit;
    label.style.setProperty("--key", `var(${color})`);
    const group = document.createElement("span");
    group.append(output, label);
    reading.append(group);
    return output;
  });
  const frame = document.createElement("div");
  frame.className = "plot";
  const canvas = document.createElement("canvas");
  canvas.setAttribute("aria-label", `${title}, the last minute`);
  frame.append(canvas);
  card.append(heading, reading, frame);
  place.append(card);
  let plot = null;
  return (at, sample) => {
    plot ??= new Plot(canvas, { curves, unit, least, limit: limit?.(sample) });
    const numbers = read(sample);
    plot.add(at, numbers);
    values.forEach((output, index) => {
      output.textContent = numbers[index] === null ? "–" : short(numbers[index]);
    });
    card.classList.toggle("absent", numbers.every((number) => number === null));
  };
}

const cards = Object.entries(CARDS).flatMap(([side, list]) => {
  const place = document.getElementById(side);
  return list.map((card) => ({ side, show: mount(place, card) }));
});
let shownAt = -Infinity;

function show(sample) {
  if (sample.at_ms <= shownAt) return; // of before the connection was lost
  shownAt = sample.at_ms;
  for (const { side, show } of cards) show(sample.at_ms, sample[side]);
  document.getElementById("proxy-note").textContent = sample.proxy.note;
}

const client = new Client("/ws/dashboard");
const room = client.join("dashboard", { history: HISTORY });
room.addEventListener("publication", ({ detail }) => show(detail.data));
showStatus(client);
showHandshake(client);
client.connect();
