// Rooms and the people in them. Everything that somebody wrote is set as text, never as markup.
import { Client } from "/upwire.js";
import { showHandshake } from "./handshake.js";
import { span } from "./lines.js";
import { showStatus } from "./status.js";

const LINES_MAX = 300;
const NAME_LENGTH_MAX = 24;
const ROOMS_SHOWN = 12;
const HISTORY = 50;
const HALL = "chat"; // everybody is in it, and shows the room to talk in
const LOBBY = "lobby";

const field = (id) => document.getElementById(id);
const log = field("log");
const lines = new Map(); // of the log, by their ids
const ours = new Set(); // the ids of what this page has said
const token = randomText(); // by which the server knows this tab again
const me = { name: localStorage.getItem("name") ?? "", token };

const client = new Client("/ws/chat");
let name = roomOf(location.hash.slice(1));
let room = null;
const hall = client.join(HALL, { presence: true, info: { room: name, token } });

function randomText() {
  return [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join("");
}

/** The room that a link or a person names: letters and digits of any script, and hyphens. */
function cleanRoom(text) {
  const words = text.normalize("NFC").toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const cut = [...words.join("-")].slice(0, NAME_LENGTH_MAX).join("");
  return cut.replace(/-$/, "") || LOBBY;
}

/** One that is wrongly encoded leads to the lobby. */
function roomOf(fragment) {
  try {
    return cleanRoom(decodeURIComponent(fragment));
  } catch {
    return LOBBY;
  }
}

function enter(wanted) {
  room?.leave();
  name = wanted;
  location.replace(`#${encodeURIComponent(name)}`);
  field("title").textContent = name;
  field("room").value = name;
  log.replaceChildren();
  lines.clear();
  notice("");
  room = client.join(`chat/${name}`, { presence: true, history: HISTORY, info: me });
  room.addEventListener("ready", ({ detail }) => ready(detail.recovered));
  room.addEventListener("publication", ({ detail }) => said(detail.data));
  room.addEventListener("joined", ({ detail }) => joined(detail));
  room.addEventListener("left", ({ detail }) => left(detail));
  room.addEventListener("error", ({ detail }) => notice(detail.message));
}

/** We are in, or in again; what was missed follows. */
function ready(recovered) {
  me.name ||= room.members.get(client.id)?.name ?? ""; // a guest keeps the name that it was given
  showMembers();
  if (recovered === true) event("Connected again: nothing was missed");
  if (recovered === false) event("Connected again: what the server still has is added");
}

function joined({ member, info, before }) {
  showMembers();
  if (before && before.name !== info.name) event(`${before.name} is now ${info.name}`);
  if (!before && !isHere(info.tab, member)) event(`${info.name} came in`);
}

function left({ member, before }) {
  showMembers();
  if (before && !isHere(before.tab, member)) event(`${before.name} left`);
}

/** Whether a tab is here by another connection, as one that came back is until the old one goes. */
function isHere(tab, besides) {
  return [...room.members].some(([id, info]) => id !== besides && info.tab === tab);
}

/** The members' infos, a tab once. */
function tabs(members) {
  return [...new Map([...members].map(([id, info]) => [info.tab, { id, ...info }])).values()];
}

/** Shows a line, in the place of the same one that was shown as being on its way. */
function said(line) {
  const shown = lines.get(line.id);
  if (shown && !shown.classList.contains("unsent")) return; // told before the connection was lost
  shown?.remove();
  show(line);
}

function show({ id, name, text, at_ms }) {
  const item = document.createElement("li");
  item.className = ours.has(id) ? "said mine" : "said";
  item.dataset.id = id;
  const by = span("by", "");
  const who = document.createElement("b");
  who.textContent = name;
  const time = document.createElement("time");
  const at = new Date(at_ms);
  time.dateTime = at.toISOString();
  time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  by.append(who, " ", time);
  item.append(badge(name), by, span("words", text));
  lines.set(id, item);
  add(item);
  return item;
}

/** Says something now or, without a connection, as soon as there is one. */
async function say(text) {
  const id = randomText();
  ours.add(id);
  const item = show({ id, name: me.name || "You", text, at_ms: Date.now() });
  item.classList.add("unsent");
  try {
    await room.publish({ id, text });
  } catch (error) {
    if (error.code === "left") return;
    item.remove();
    lines.delete(id);
    notice(`This was not sent: ${text} (${error.message})`);
  }
}

function event(text) {
  const item = document.createElement("li");
  item.className = "event";
  item.textContent = text;
  add(item);
}

function add(item) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  log.append(item);
  while (log.children.length > LINES_MAX) {
    lines.delete(log.firstElementChild.dataset.id);
    log.firstElementChild.remove();
  }
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function notice(text) {
  field("notice").textContent = text;
}

/** A round initial whose color follows the name. */
function badge(name) {
  const element = span("badge", [...name][0].toUpperCase());
  let hue = 0;
  for (const sign of name) hue = (hue * 31 + sign.codePointAt(0)) % 360;
  element.style.setProperty("--hue", hue);
  element.setAttribute("aria-hidden", "true");
  return element;
}

function showMembers() {
  const people = tabs(room.members);
  const mine = room.members.get(client.id)?.tab;
  field("count").textContent = `· ${people.length}`;
  field("members").replaceChildren(...people.map(({ tab, name }) => {
    const item = document.createElement("li");
    item.append(badge(name), span("", name), span("muted", tab === mine ? "you" : ""));
    return item;
  }));
}

/** The rooms that people talk in, the fullest first. */
function showRooms() {
  const counts = new Map();
  for (const { room } of tabs(hall.members)) counts.set(room, (counts.get(room) ?? 0) + 1);
  const fullest = [...counts].sort(([first, many], [second, more]) =>
    more - many || first.localeCompare(second));
  field("rooms").replaceChildren(...fullest.slice(0, ROOMS_SHOWN).map(([other, count]) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = `${other} ${count}`;
    button.setAttribute("aria-pressed", String(other === name));
    button.onclick = () => move(other);
    item.append(button);
    return item;
  }));
}

async function move(wanted) {
  if (wanted === name) return;
  enter(wanted);
  await tell(hall, { room: name, token });
  showRooms();
}

/** Shows another info of ours to a room: what of it the server takes is what we are there. */
async function tell(place, info) {
  try {
    const shown = await place.update({ info });
    if (shown) place.members.set(client.id, shown);
  } catch (error) {
    // Without a place in the room, the next join tells the same.
    if (error.code !== "closed" && error.code !== "not_joined") notice(error.message);
  }
}

field("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field("text").value;
  if (!text.trim()) return;
  field("text").value = "";
  notice(client.state.name === "open" ? "" : "Not connected: it is sent as soon as we are.");
  say(text);
});

field("who").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wanted = field("name").value;
  localStorage.setItem("name", wanted);
  me.name = wanted;
  await tell(room, me);
  showMembers();
});

field("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  move(cleanRoom(field("room").value));
});

client.addEventListener("state", ({ detail }) => {
  if (detail.name === "open") notice("");
});
for (const type of ["ready", "joined", "left"]) hall.addEventListener(type, showRooms);
field("name").value = me.name;
showStatus(client);
showHandshake(client);
enter(name);
client.connect();
