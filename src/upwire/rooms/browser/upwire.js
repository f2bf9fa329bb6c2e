// Rooms of Upwire in a browser: one WebSocket that comes back, and then asks for what was missed.
// docs/rooms.md has the protocol and examples; upwire.d.ts the types.

const VERSION = 1;
const STABLE_MS = 5000; // an opening that lasts less counts as one more failed attempt
const FINAL_CODES = [1002, 1003, 1007, 1008, 1009]; // the same messages would end the same way
const CONNECT_TIMEOUT_MS = 10000;
const UNAVAILABLE_MS = 2000; // after which a publish that found no home is sent again, at most
const DEFAULTS = {
  firstDelayMs: 500, // before the first attempt to come back, at most; it doubles with each
  longestDelayMs: 15000,
  queueLimit: 100, // publishes of a room that have no reply yet
};

/** A command that failed. code: "closed" where the connection was lost, or what the server says. */
export class RoomError extends Error {
  constructor(code, text) {
    super(text);
    this.name = "RoomError";
    this.code = code;
  }
}

/** One connection to the server, and the rooms that it is in. */
export class Client extends EventTarget {
  #url;
  #options;
  #socket = null;
  #links = new Map(); // name of a room to what the room and this client call of each other
  #commands = new Map(); // id to the functions that settle its promise
  #lastId = 0;
  #attempts = 0;
  #loss = null;
  #openedAt = Infinity;
  #timer = 0; // of the next attempt, or of what one may take
  #pings = 0;
  #silence = null; // runs while a ping waits for a sign of life
  #timeoutMs = 0;
  #listening = null;

  /** url: of the server's handler, relative to the page's; or a function that returns one. */
  constructor(url, options) {
    super();
    this.#url = url;
    this.#options = { ...DEFAULTS, ...options };
    this.id = null;
    this.state = { name: "closed" };
  }

  /** Connects, now rather than later. */
  connect() {
    this.#drop();
    this.#listen();
    this.#tell({ name: "connecting" });
    const path = typeof this.#url === "function" ? this.#url() : this.#url;
    const url = new URL(path, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#greet();
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#socket = socket;
    this.#timer = setTimeout(
      () => this.#closed(1006, "no answer in time"), CONNECT_TIMEOUT_MS,
    );
  }

  /** Closes for good; the rooms stay in memory, for another connect(). */
  close() {
    this.#listening?.abort();
    this.#listening = null;
    this.#drop();
    this.#tell({ name: "closed" });
  }

  /** Joins a room as soon as there is a connection, and again after each loss of it. */
  join(name, options = {}) {
    if (this.#links.has(name)) throw new RoomError("already_joined", `${name} is joined already`);
    const link = {
      _limit: this.#options.queueLimit,
      _command: (method, fields) => this.#command(method, { room: name, ...fields }),
      _forget: () => this.#links.delete(name),
    };
    this.#links.set(name, link);
    const room = new Room(name, options, link);
    if (this.state.name === "open") link._opened();
    return room;
  }

  async #greet() {
    let welcome;
    try {
      welcome = await this.#command("connect", { version: VERSION });
    } catch (error) {
      if (error.code !== "closed") this.#closed(1008, error.message);
      return;
    }
    this.id = welcome.client;
    clearTimeout(this.#timer);
    this.#openedAt = performance.now();
    this.#pings = setInterval(() => this.#ping(), welcome.ping_interval_ms);
    this.#timeoutMs = welcome.ping_timeout_ms;
    this.#ping();
    for (const link of this.#links.values()) link._opened();
    // Last: whoever hears of it may join a room, or close the client.
    this.#tell({ name: "open", welcome: welcome.welcome });
  }

  #ping() {
    const began = performance.now();
    this.#silence ??= setTimeout(
      () => this.#closed(1006, "no answer to a ping"), this.#timeoutMs,
    );
    this.#command("ping").then(
      () => emit(this, "rtt", performance.now() - began),
      () => {}, // the connection was lost, which is told otherwise
    );
  }

  #receive(data) {
    this.#heard();
    const message = typeof data === "string" ? JSON.parse(data) : unpack(data);
    if (message.push) {
      this.#links.get(message.room)?._take(message);
      return;
    }
    const command = this.#commands.get(message.id);
    this.#commands.delete(message.id);
    if (!message.error) command?._resolve(message.result);
    else {
      const error = new RoomError(message.error.code, message.error.text);
      if (command) command._reject(error);
      else emit(this, "error", error);
    }
  }

  #heard() {
    clearTimeout(this.#silence);
    this.#silence = null;
  }

  #command(method, fields) {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) throw disconnected(); // which rejects
      this.#commands.set(id, { _resolve: resolve, _reject: reject });
      this.#socket.send(JSON.stringify({ id, method, ...fields }));
    });
  }

  #closed(code, reason) {
    const lasted = performance.now() - this.#openedAt;
    this.#openedAt = Infinity;
    this.#drop();
    if (FINAL_CODES.includes(code)) {
      this.#tell({ name: "stopped", code, reason });
      return;
    }
    if (lasted > STABLE_MS) this.#attempts = 0;
    // What is told is the loss, not that the attempts since then failed too.
    if (lasted >= 0 || !this.#loss) this.#loss = { code, reason };
    const { firstDelayMs, longestDelayMs } = this.#options;
    // Full jitter: pages that were cut together do not come back together.
    const delayMs = Math.random() * Math.min(longestDelayMs, firstDelayMs * 2 ** this.#attempts++);
    this.#timer = setTimeout(() => this.connect(), delayMs);
    this.#tell({ name: "waiting", ...this.#loss, retryAt: Date.now() + delayMs });
  }

  /** Lets go of the connection, and tells everybody who waits for something of it. */
  #drop() {
    this.#heard();
    clearTimeout(this.#timer);
    clearInterval(this.#pings);
    const socket = this.#socket;
    if (!socket) return;
    this.#socket = null;
    socket.onclose = null; // nothing else comes behind close()
    socket.close(1000);
    for (const link of this.#links.values()) link._lost();
    for (const command of this.#commands.values()) command._reject(disconnected());
    this.#commands.clear();
  }

  /** Hears of what makes an attempt worth while, and of the page's coming and going. */
  #listen() {
    if (this.#listening) return;
    this.#listening = new AbortController();
    const options = { signal: this.#listening.signal };
    const hurry = () => {
      if (this.state.name === "waiting") this.connect();
      else if (this.state.name === "open") this.#ping();
    };
    addEventListener("online", hurry, options);
    document.addEventListener("visibilitychange", () => document.hidden || hurry(), options);
    // A page that is kept for the back button must not keep its socket.
    addEventListener("pagehide", () => this.#drop(), options);
    addEventListener("pageshow", ({ persisted }) => persisted && this.connect(), options);
  }

  #tell(state) {
    this.state = state;
    emit(this, "state", state);
  }
}

/** A room that a client has joined; made by Client.join(). */
export class Room extends EventTarget {
  #link;
  #options;
  #position; // behind the publication that was told last
  #isIn = false;
  #held = null; // what comes while we ask for what was missed
  #queue = []; // publishes without a reply, in order
  #retry = 0;
  #left = null; // what is told to whoever goes on with a room that was left

  constructor(name, { since = null, ...options }, link) {
    super();
    this.name = name;
    this.members = new Map(); // id to info, where the option `presence` is set
    this.#options = options;
    this.#position = since;
    this.#link = link;
    link._opened = () => this.#ask("join");
    link._lost = () => this.#stop();
    link._take = (push) => this.#take(push);
  }

  /** The place up to which everything was told; joining with it as `since` goes on from there. */
  get position() {
    return this.#position;
  }

  /** Publishes; what could not be sent yet, or had no reply, is sent again after a reconnect. */
  publish(data, { key } = {}) {
    return new Promise((resolve, reject) => {
      // What is thrown here rejects.
      if (this.#left) throw this.#left;
      if (this.#queue.length >= this.#link._limit) {
        throw new RoomError("queue_full", "too many publishes wait");
      }
      const text = JSON.stringify(data); // as it is now; throws for what JSON cannot carry
      const fields = { data: JSON.parse(text), key, idempotency_key: randomKey() };
      const entry = { _fields: fields, _resolve: resolve, _reject: reject };
      this.#queue.push(entry);
      if (this.#isIn) this.#send(entry);
    });
  }

  /** Returns the members: an object of their infos by id. */
  async presence() {
    return (await this.#link._command("presence")).members;
  }

  /** Returns what the room keeps: { position, complete, publications }. */
  async history({ since, limit } = {}) {
    const reply = await this.#link._command("history", { since, limit });
    return { ...reply, publications: reply.publications.map(decode) };
  }

  /** Changes the options `info` and `window`; returns the info that the server lets us show. */
  async update(options) {
    Object.assign(this.#options, options);
    // A join that is under way has told the options as they were.
    if (this.#isIn || this.#held) return (await this.#link._command("update", options)).info;
  }

  leave() {
    if (this.#left) return;
    this.#left = new RoomError("left", "the room was left");
    this.#link._forget();
    this.#link._command("leave").catch(() => {});
    this.#refuse(this.#left);
  }

  /** Joins, or asks for what the server had to drop: the replies are alike. */
  async #ask(method) {
    this.#held = [];
    try {
      this.#settle(await this.#link._command(
        method, { ...this.#options, since: this.#position ?? undefined },
      ));
    } catch (error) {
      if (!this.#held || error.code === "closed") return;
      if (error.code === "unavailable") this.#later(() => this.#ask(method));
      else {
        this.#refuse(error);
        emit(this, "error", error);
      }
    }
  }

  /** Tells what was missed, and then what came meanwhile. */
  #settle({ position, publications, recovered, presence }) {
    const held = this.#held;
    if (!held) return; // the room was left meanwhile
    this.#held = null;
    this.#isIn = true;
    this.#sendAll();
    if (presence) this.members = new Map(Object.entries(presence));
    if (!recovered) this.#position = { ...position, offset: 0 };
    emit(this, "ready", { recovered });
    for (const publication of publications) this.#publication(decode(publication));
    if (!this.#isIn) return; // a listener has left the room, or closed the client
    this.#position = { ...position, offset: Math.max(position.offset, this.#position.offset) };
    for (const push of held) this.#take(push);
  }

  #take(push) {
    if (this.#held) this.#held.push(push);
    else if (push.push === "publication") this.#publication(push);
    else if (push.push === "lost") this.#ask("recover");
    else if (push.member) this.#membership(push);
  }

  #publication({ offset, data, key = "", publisher = "" }) {
    if (!this.#isIn || offset <= this.#position.offset) return; // nobody waits for it; told before
    this.#position = { ...this.#position, offset }; // another: the page may keep the one it has
    emit(this, "publication", { offset, data, key, publisher });
    // Whoever shows it has done so: listeners are called at once.
    if (this.#options.window != null) this.#link._command("ack", { offset }).catch(() => {});
  }

  /** A member has joined, has another info than before, or has left. */
  #membership({ push, member, info }) {
    const before = this.members.get(member);
    if (push === "joined") this.members.set(member, info);
    else this.members.delete(member);
    emit(this, push, { member, info, before });
  }

  #sendAll() {
    for (const entry of this.#queue) if (!entry._isSent) this.#send(entry);
  }

  async #send(entry) {
    entry._isSent = true;
    try {
      entry._resolve(await this.#link._command("publish", entry._fields));
    } catch (error) {
      entry._isSent = false;
      if (error.code === "closed") return; // it waits for the next connection
      if (error.code === "unavailable") {
        if (!this.#held) this.#later(() => this.#sendAll()); // else it is sent behind the reply
        return;
      }
      entry._reject(error);
    }
    this.#queue = this.#queue.filter((other) => other !== entry);
  }

  /** Tries again what found the rooms out of reach; one step waits at most. */
  #later(step) {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(step, Math.random() * UNAVAILABLE_MS);
  }

  #stop() {
    this.#isIn = false;
    this.#held = null;
    clearTimeout(this.#retry);
  }

  #refuse(error) {
    this.#stop();
    for (const entry of this.#queue.splice(0)) entry._reject(error);
  }
}

const disconnected = () => new RoomError("closed", "not connected");

function emit(target, type, detail) {
  target.dispatchEvent(new CustomEvent(type, { detail }));
}

/** Text that nobody else makes; unlike crypto.randomUUID() it needs no secure context. */
function randomKey() {
  return crypto.getRandomValues(new Uint32Array(4)).join("-");
}

/** Reads a binary message: a push in JSON, a line feed, and the publication's octets. */
function unpack(buffer) {
  const octets = new Uint8Array(buffer);
  const end = octets.indexOf(10);
  const push = JSON.parse(new TextDecoder().decode(octets.subarray(0, end)));
  return { ...push, data: buffer.slice(end + 1) };
}

/** Reads a publication of a reply, where octets are base64. */
function decode({ base64, ...publication }) {
  if (base64 !== undefined) {
    publication.data = Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0)).buffer;
  }
  return publication;
}
