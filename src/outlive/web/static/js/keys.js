// The keyboard all the way. Keys do nothing while something is typed, and leave the browser's own alone.
import { openPalette } from "./palette.js";
import { nextTheme } from "./themes.js";

const ROWS = "a.row, summary.trow, .event > details > summary";

function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=checkbox]), textarea, select"));
}

function move(step) {
  const rows = [...document.querySelectorAll(ROWS)].filter((row) => row.checkVisibility());
  if (!rows.length) return;
  const focus = document.activeElement;
  const at = rows.indexOf(focus.closest?.(ROWS) ?? focus.closest?.("tr")?.querySelector(ROWS));
  const next = at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + step, 0), rows.length - 1);
  rows[next].focus({ preventScroll: true });
  rows[next].scrollIntoView({ block: "nearest" });
}

function focusFilter() {
  const filter = document.getElementById("query");
  if (!filter) return false;
  filter.focus();
  filter.select();
  return true;
}

function choose() {
  const box = document.activeElement.closest?.("tr")?.querySelector("input[type=checkbox]");
  if (!box) return false;
  box.click();
  return true;
}

export function startKeys() {
  const actions = {
    "/": focusFilter,
    "?": () => document.getElementById("help").showModal(),
    j: () => move(1),
    k: () => move(-1),
    x: choose,
    t: nextTheme,
  };
  let going = -Infinity;
  document.addEventListener("keydown", (event) => {
    const open = document.querySelector("dialog[open]");
    if (event.key === "k" && (event.ctrlKey || event.metaKey) && !event.altKey && !open) {
      openPalette();
      event.preventDefault();
      return;
    }
    if (event.key === "Escape" && document.activeElement?.id === "query") document.activeElement.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || open || typing(event.target)) return;
    const place = event.timeStamp - going < 1500 && document.querySelector(`#places a[data-go="${CSS.escape(event.key)}"]`);
    going = -Infinity;
    if (place) place.click();
    else if (event.key === "g") going = event.timeStamp;
    else if (!(event.key in actions) || actions[event.key]() === false) return;
    event.preventDefault();
  });
}
