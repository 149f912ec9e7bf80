// The list of runs: completion in its filter, choosing rows, and scrolling on without an end.
import { startComplete } from "./complete.js";
import { startWindow } from "./windowed.js";

startComplete(document.getElementById("query"));
startWindow();

function count() {
  const chosen = document.querySelectorAll("#chosen input[name=run]:checked").length;
  const button = document.querySelector("[data-bulk]");
  button.textContent = chosen ? `Bulk: ${chosen} chosen…` : "Bulk…";
  button.classList.toggle("primary", chosen > 0);
}

document.getElementById("chosen").addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) {
    for (const box of document.querySelectorAll("#chosen input[name=run]")) box.checked = event.target.checked;
  }
  count();
});
document.addEventListener("htmx:after:swap", count);
count();
