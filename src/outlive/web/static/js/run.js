// A run's pages: the timeline's zoom, and names of handlers that are put into their field.
import { startTimeline } from "./timeline.js";

startTimeline();
document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-puts]");
  if (!button) return;
  const field = button.closest("form").querySelector("input:not([type=hidden])");
  field.value = button.dataset.puts;
  field.focus();
});
