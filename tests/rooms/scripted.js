// Stands in for WebSocket, the page, the clock and chance: the test plays the server and lets time
// pass.

export const sockets = [];
export const latest = () => sockets.at(-1);

class ScriptedSocket {
  static OPEN = 1;
  readyState = 0;
  sent = [];

  constructor(url) {
    this.url = String(url);
    sockets.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.readyState = 3;
    this.closedWith = code;
  }

  /** The commands of a method so far. */
  commands(method) {
    return this.sent.filter((command) => command.method === method);
  }

  open() {
    this.readyState = 1;
    this.onopen();
  }

  async say(message) {
    this.onmessage({ data: message instanceof ArrayBuffer ? message : JSON.stringify(message) });
    await settle();
  }

  /** Replies to the last command of a method. */
  async reply(method, result) {
    await this.say({ id: this.commands(method).at(-1).id, result });
  }

  async refuse(method, code, text = "") {
    await this.say({ id: this.commands(method).at(-1).id, error: { code, text } });
  }

  /** Opens, and answers the first commands. */
  async welcome(welcome = {}) {
    this.open();
    await settle();
    await this.reply("connect", {
      version: 1, client: `client ${sockets.length}`, ping_interval_ms: 25000,
      ping_timeout_ms: 10000, ...welcome,
    });
  }

  async lose(code = 1006, reason = "") {
    this.readyState = 3;
    this.onclose({ code, reason });
    await settle();
  }
}

/** Lets every promise go on that can. */
export async function settle() {
  for (let turn = 0; turn < 20; turn++) await null;
}

const timers = new Map();
let now = 1000;
let lastTimer = 0;
let chance = 0.5;

function start(step, ms, every = 0) {
  timers.set(++lastTimer, { step, at: now + ms, every });
  return lastTimer;
}

export const chanceIs = (value) => { chance = value; };

/** When the next timer is due, in milliseconds from now; null if there is none. */
export const due = () => (timers.size ? Math.min(...[...timers.values()].map((t) => t.at)) - now : null);

export async function pass(ms) {
  const end = now + ms;
  for (;;) {
    const next = [...timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
    if (!next) break;
    const [id, timer] = next;
    now = timer.at;
    if (timer.every) timer.at += timer.every;
    else timers.delete(id);
    timer.step();
    await settle();
  }
  now = end;
}

/** The window and the document in one: what the client listens to. */
export const page = new EventTarget();
page.hidden = false;

/** What the client is to find under these names. */
export const globals = {
  WebSocket: ScriptedSocket,
  location: { href: "https://example.org/a/page?x=1" },
  document: page,
  addEventListener: page.addEventListener.bind(page),
  setTimeout: (step, ms) => start(step, ms),
  setInterval: (step, ms) => start(step, ms, ms),
  clearTimeout: (id) => timers.delete(id),
  clearInterval: (id) => timers.delete(id),
  performance: { now: () => now },
  Date: { now: () => now },
  Math: Object.assign(Object.create(Math), { random: () => chance }),
};
