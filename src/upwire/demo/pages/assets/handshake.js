// The opening handshake of this page's WebSocket, as the server saw it behind the proxy.
import { line, span } from "./lines.js";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; // RFC 6455 §1.3

const REQUEST_NOTES = {
  host: "From `proxy_set_header Host $host;`. Without the line it would be the name in proxy_pass.",
  upgrade: "Ends at every hop, so the proxy drops it unless told: `proxy_set_header Upgrade $http_upgrade;`",
  connection: "Names Upgrade as meant for this hop: `proxy_set_header Connection \"upgrade\";`",
  origin: "Which page asks. A browser always says it, so a server can refuse foreign pages.",
  "sec-websocket-key": "16 random octets in base64, new for every handshake. It is no secret.",
  "sec-websocket-version": "13, the only version there is.",
  "sec-websocket-extensions": "What the browser offers: messages compressed one by one.",
  "sec-websocket-protocol": "Which subprotocols the page would speak.",
};

const RESPONSE_NOTES = {
  upgrade: "The server agrees to leave HTTP.",
  connection: "It means this hop; the proxy says it again to the browser.",
  "sec-websocket-accept": "SHA-1 of the key and a fixed GUID: whoever answers has read this very request.",
  "sec-websocket-extensions": "What the server took of the offer.",
};

const VERSION_NOTE = "HTTP/1.1, thanks to `proxy_http_version 1.1;` 1.0 knows no Upgrade.";
const STATUS_NOTE = "From the next octet on, this connection carries frames.";

export function showHandshake(client) {
  const place = document.getElementById("handshake");
  client.addEventListener("state", ({ detail }) => {
    if (detail.name === "open") render(place, detail.welcome);
  });
}

function render(place, { request, response, peer }) {
  const details = document.createElement("details");
  details.className = "card";
  details.open = place.firstElementChild?.open ?? true;
  const summary = document.createElement("summary");
  summary.textContent = "The handshake that this page made";
  const told = document.createElement("p");
  told.className = "muted";
  told.textContent = `As the server saw it, behind the proxy at ${peer}. The marked lines make it a WebSocket.`;
  const pair = document.createElement("div");
  pair.className = "pair";
  pair.append(
    head("Request", request, REQUEST_NOTES, VERSION_NOTE),
    head("Response", response, RESPONSE_NOTES, STATUS_NOTE),
  );
  details.append(summary, told, pair);
  place.replaceChildren(details);
  verify(pair, request.fields, response.fields);
}

function head(title, { start, fields }, notes, startNote) {
  const column = document.createElement("div");
  const heading = document.createElement("h2");
  heading.className = "small";
  heading.textContent = title;
  const lines = document.createElement("div");
  lines.className = "heads";
  lines.append(line([["start", start]], startNote));
  for (const [name, value] of fields) {
    const shown = line([["name", `${name}: `], ["value", value]], notes[name.toLowerCase()]);
    shown.dataset.field = name.toLowerCase();
    lines.append(shown);
  }
  column.append(heading, lines);
  return column;
}

/** Computes the accept value in this browser and says whether it is right. RFC 6455 §4.1. */
async function verify(place, requestFields, responseFields) {
  if (!crypto.subtle) return; // only in a secure context: https, or this very machine
  const key = value(requestFields, "sec-websocket-key");
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(key + GUID));
  const expected = btoa(String.fromCharCode(...new Uint8Array(digest)));
  const right = expected === value(responseFields, "sec-websocket-accept");
  const mark = span(right ? "check" : "check wrong", right ? " ✓ computed here as well" : " ✗ not what we computed");
  place.querySelector('[data-field="sec-websocket-accept"] .source')?.append(mark);
}

function value(fields, wanted) {
  return fields.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? "";
}
