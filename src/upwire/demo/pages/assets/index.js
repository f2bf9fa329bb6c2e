// The picture's addresses and the configuration, as they are in this run.
import { line } from "./lines.js";

const NOTES = [
  ["listen ", "Where the browser comes in."],
  ["proxy_pass ", "Where the request goes on: a name and a port, as containers have it."],
  ["proxy_set_header Upgrade ", "`Upgrade` is for one hop, so a proxy drops it. This line hands it on."],
  ["proxy_set_header Connection ", "And so is `Connection`, which must name it."],
  ["proxy_set_header Host ", "The name that the browser asked for, for the server's own checks."],
  ["proxy_http_version ", "`Upgrade` came with HTTP/1.1."],
];

const facts = await (await fetch("/path.json")).json();
for (const place of document.querySelectorAll("[data-fact]")) {
  place.textContent = facts[place.dataset.fact];
}
const lines = facts.config.trimEnd().split("\n");
document.getElementById("config").replaceChildren(
  ...lines.map((text) => {
    const words = text.trimStart();
    const note = NOTES.find(([start]) => words.startsWith(start))?.[1];
    return line([["value", words || " "]], note, text.length - words.length);
  }),
);
