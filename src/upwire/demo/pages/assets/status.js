// The state of the page's connection, in the header: a light, words, and the round trip.

const WORDS = {
  closed: () => ["Closed", ""],
  connecting: () => ["Connecting", ""],
  open: () => ["Open", ""],
  waiting: ({ code, reason, retryAt }) => [
    `Closed ${code}`, `${reason || meaning(code)}, reconnecting ${until(retryAt)}`,
  ],
  stopped: ({ code, reason }) => [`Closed ${code}`, reason || meaning(code)],
};

const until = (at) => {
  const seconds = Math.ceil((at - Date.now()) / 1000);
  return seconds > 0 ? `in ${seconds} s` : "now";
};

/** The short sense of a close code. RFC 6455 §7.4.1. */
function meaning(code) {
  const known = {
    1000: "normal",
    1001: "the server goes away",
    1006: "lost without a Close frame",
    1008: "refused",
    1009: "message too big",
    1011: "the server failed",
    1012: "the server restarts",
    1013: "try again later",
  };
  return known[code] ?? "no reason given";
}

export function showStatus(client) {
  const place = document.getElementById("status");
  const words = document.createElement("b");
  const detail = document.createElement("span");
  const again = document.createElement("button");
  words.setAttribute("role", "status");
  again.textContent = "Connect now";
  again.type = "button";
  again.onclick = () => client.connect();
  place.replaceChildren(words, detail, again);

  const show = () => {
    const { state } = client;
    place.dataset.state = state.name;
    [words.textContent, detail.textContent] = WORDS[state.name](state);
    again.hidden = state.name === "open" || state.name === "connecting";
  };
  client.addEventListener("state", show);
  client.addEventListener("rtt", (event) => {
    if (client.state.name === "open") detail.textContent = `${event.detail.toFixed(1)} ms`;
  });
  setInterval(() => client.state.name === "waiting" && show(), 250);
  show();
}
