// The state of the page's channel, in the header: a light, words, and the round trip.

const WORDS = {
  connecting: () => ["Connecting", ""],
  open: () => ["Open", ""],
  waiting: ({ code, reason }) => [`Closed ${code}`, reason || meaning(code)],
  stopped: ({ code, reason }) => [`Closed ${code}`, reason || meaning(code)],
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
    1013: "try again later",
  };
  return known[code] ?? "";
}

export function showStatus(channel) {
  const place = document.getElementById("status");
  const words = document.createElement("b");
  const detail = document.createElement("span");
  const again = document.createElement("button");
  words.setAttribute("role", "status");
  again.textContent = "Connect now";
  again.type = "button";
  again.onclick = () => channel.connect();
  place.replaceChildren(words, detail, again);

  const show = (state) => {
    place.dataset.state = state.name;
    [words.textContent, detail.textContent] = WORDS[state.name](state);
    again.hidden = state.name === "open" || state.name === "connecting";
  };
  channel.addEventListener("state", (event) => show(event.detail));
  channel.addEventListener("rtt", (event) => {
    if (channel.state.name === "open") detail.textContent = `${event.detail.toFixed(1)} ms`;
  });
  show(channel.state);
}
