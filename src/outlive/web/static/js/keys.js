// The keyboard all the way. Keys do nothing while something is typed, and leave the browser's own alone.
import { nextTheme } from "./themes.js";

const ROWS = "a.row, summary.trow, .event > details > summary";

function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

function move(step) {
  const rows = [...document.querySelectorAll(ROWS)].filter((row) => row.checkVisibility());
  if (!rows.length) return;
  const at = rows.indexOf(document.activeElement.closest?.(ROWS));
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

const GO = { w: ".brand", n: "nav[aria-label=Place] a" };

export function startKeys() {
  const help = document.getElementById("help");
  const actions = {
    "/": focusFilter,
    "?": () => help.showModal(),
    j: () => move(1),
    k: () => move(-1),
    t: nextTheme,
  };
  document.getElementById("help-open").addEventListener("click", actions["?"]);
  let going = 0;
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.activeElement?.id === "query") document.activeElement.blur();
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || help.open) return;
    if (event.key === "g") {
      going = event.timeStamp;
      return;
    }
    const place = event.timeStamp - going < 1500 && GO[event.key];
    going = 0;
    if (place) document.querySelector(place)?.click();
    else if (!(event.key in actions) || actions[event.key]() === false) return;
    event.preventDefault();
  });
}
