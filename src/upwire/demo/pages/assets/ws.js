// One WebSocket that comes back after a loss. It tells its state, its round trip and its messages
// as events: "state", "rtt", "message" (a JSON object), "picture" (an ArrayBuffer).

const PING_EVERY_MS = 2000;
const SILENCE_MS = 10000; // no answer to a ping for this long: the path is dead
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15000;
const POLICY_VIOLATION = 1008; // coming back would not help

export class Channel extends EventTarget {
  #path;
  #socket = null;
  #attempts = 0; // since it was open
  #loss = null;
  #retry = 0;
  #pings = 0;
  #askedAt = null; // of the ping that nothing has come back for

  /** path: a function, asked again for every attempt. */
  constructor(path) {
    super();
    this.#path = path;
    this.state = { name: "connecting" };
    addEventListener("online", () => this.state.name === "waiting" && this.connect());
    // A page that is kept for the back button must not keep its socket.
    addEventListener("pagehide", () => this.#drop());
    addEventListener("pageshow", (event) => event.persisted && this.connect());
  }

  connect() {
    this.#drop();
    this.#tell({ name: "connecting" });
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}${this.#path()}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened();
    socket.onmessage = (event) => this.#received(event.data);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
    this.#socket = socket;
  }

  /** Sends a JSON message; returns whether the channel was open. */
  send(type, fields = {}) {
    const open = this.#socket?.readyState === WebSocket.OPEN;
    if (open) this.#socket.send(JSON.stringify({ type, ...fields }));
    return open;
  }

  #opened() {
    this.#attempts = 0;
    this.#askedAt = null;
    this.#pings = setInterval(() => this.#ping(), PING_EVERY_MS);
    this.#ping();
    this.#tell({ name: "open" });
  }

  #ping() {
    const now = performance.now();
    if (this.#askedAt !== null && now - this.#askedAt > SILENCE_MS) {
      this.#drop();
      this.#closed(1006, "no answer to a ping");
      return;
    }
    this.#askedAt ??= now;
    this.send("ping", { at: now });
  }

  #received(data) {
    this.#askedAt = null;
    if (typeof data !== "string") {
      this.dispatchEvent(new CustomEvent("picture", { detail: data }));
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "pong") {
      this.dispatchEvent(new CustomEvent("rtt", { detail: performance.now() - message.at }));
    } else {
      this.dispatchEvent(new CustomEvent("message", { detail: message }));
    }
  }

  #closed(code, reason) {
    clearInterval(this.#pings);
    this.#socket = null;
    if (code === POLICY_VIOLATION) {
      this.#tell({ name: "stopped", code, reason });
      return;
    }
    // What is told is the loss, not that the attempts since then failed too.
    if (this.#attempts === 0) this.#loss = { code, reason };
    // Full jitter: tabs that were cut together do not come back together.
    const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#attempts++);
    const delay = Math.random() * longest;
    this.#retry = setTimeout(() => this.connect(), delay);
    this.#tell({ name: "waiting", ...this.#loss });
  }

  #drop() {
    clearTimeout(this.#retry);
    clearInterval(this.#pings);
    if (!this.#socket) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(1000);
    this.#socket = null;
  }

  #tell(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
