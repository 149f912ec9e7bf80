// A run's pages: the timeline's zoom, children inside it, and names of handlers that are put into their field.
import { startTimeline } from "./timeline.js";

startTimeline();
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-puts]");
  if (!button) return;
  const field = button.closest("form").querySelector("input:not([type=hidden])");
  field.value = button.dataset.puts;
  field.focus();
});

// A child's own timeline, inside its parent's: fetched when its bar is opened, kept while the page changes around it.
const children = new Map();

async function showChild(place) {
  const address = place.dataset.src;
  if (!children.has(address)) {
    children.set(address, "");
    const answer = await fetch(address);
    children.set(address, answer.ok ? await answer.text() : "It cannot be shown.");
  }
  if (place.isConnected && !place.firstChild) place.innerHTML = children.get(address);
}

function showChildren() {
  document.querySelectorAll("#timeline details[open] > .child").forEach(showChild);
}
document.addEventListener("toggle", showChildren, true);
document.addEventListener("htmx:after:swap", showChildren);
