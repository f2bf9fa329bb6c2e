// Rooms and the people in them. Everything that somebody wrote is set as text, never as markup.
import { showHandshake } from "./handshake.js";
import { span } from "./lines.js";
import { showStatus } from "./status.js";
import { Channel } from "./ws.js";

const LINES_MAX = 300;
const field = (id) => document.getElementById(id);
const log = field("log");
const members = new Map(); // id to name
let me = null;
const LOBBY = "lobby";
let room = roomOf(location.hash.slice(1));

const channel = new Channel(() => {
  const name = encodeURIComponent(localStorage.getItem("name") ?? "");
  // As a segment of a path, dots alone would lead elsewhere.
  const segment = /^\.*$/.test(room) ? LOBBY : encodeURIComponent(room);
  return `/ws/chat/${segment}?name=${name}`;
});

/** The room that a link names; one that is wrongly encoded leads to the lobby. */
function roomOf(fragment) {
  try {
    return decodeURIComponent(fragment) || LOBBY;
  } catch {
    return LOBBY;
  }
}

const HEARD = {
  welcome({ you, room: name, members: present, history }) {
    me = you;
    room = name;
    location.replace(`#${encodeURIComponent(name)}`);
    field("title").textContent = name;
    field("room").value = name;
    members.clear();
    present.forEach(({ id, name }) => members.set(id, name));
    showMembers();
    log.replaceChildren();
    history.forEach(said);
    field("notice").textContent = "";
  },
  joined({ id, name }) {
    members.set(id, name);
    showMembers();
    event(`${name} came in`);
  },
  left({ id, name }) {
    members.delete(id);
    showMembers();
    event(`${name} left`);
  },
  renamed({ id, name, before }) {
    members.set(id, name);
    showMembers();
    event(`${before} is now ${name}`);
  },
  said,
  rooms: ({ rooms }) => showRooms(rooms),
  notice({ text }) {
    field("notice").textContent = text;
  },
};

function said({ id, name, text, at_ms }) {
  const item = document.createElement("li");
  item.className = id === me ? "said mine" : "said";
  const by = span("by", "");
  const who = document.createElement("b");
  who.textContent = name;
  const time = new Date(at_ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  by.append(who, ` ${time}`);
  item.append(badge(name), by, span("words", text));
  add(item);
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
  while (log.children.length > LINES_MAX) log.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
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
  field("count").textContent = `· ${members.size}`;
  field("members").replaceChildren(...[...members].map(([id, name]) => {
    const item = document.createElement("li");
    item.append(badge(name), span("", name), span("muted", id === me ? "you" : ""));
    return item;
  }));
}

function showRooms(rooms) {
  field("rooms").replaceChildren(...rooms.map(([name, count]) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet";
    button.textContent = `${name} ${count}`;
    button.setAttribute("aria-pressed", String(name === room));
    button.onclick = () => enter(name);
    item.append(button);
    return item;
  }));
}

function enter(name) {
  if (!name || name === room) return;
  room = name;
  channel.connect();
}

field("say").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field("text").value;
  if (!text.trim()) return;
  field("notice").textContent = "";
  if (channel.send("say", { text })) field("text").value = "";
  else field("notice").textContent = "Not connected; your words are kept here until we are.";
});

field("who").addEventListener("submit", (event) => {
  event.preventDefault();
  localStorage.setItem("name", field("name").value);
  channel.send("name", { name: field("name").value });
});

field("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(field("room").value.trim());
});

channel.addEventListener("message", ({ detail }) => HEARD[detail.type]?.(detail));
field("name").value = localStorage.getItem("name") ?? "";
showStatus(channel);
showHandshake(channel);
channel.connect();
