// Zoom of the timeline: buttons, keys (+ - 0), Ctrl and the wheel, and dragging along it. The server draws the bars in
// per cent; here they are stretched, and the marks of the axis drawn for what is seen.

const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
  3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 1209600, 2592000];
const MAX = 2000;
const SVG = "http://www.w3.org/2000/svg";

let zoom = 1;
let from = 0; // share of the whole that the left edge shows

function words(seconds, step) {
  if (seconds === 0) return "0";
  if (step < 1) return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${+seconds.toFixed(3)} s`;
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const first = parts.findIndex(([size]) => seconds >= size);
  return parts.slice(first, first + 2).map(([size, unit]) => {
    const n = Math.floor(seconds / size);
    seconds -= n * size;
    return n ? `${n} ${unit}` : "";
  }).filter(Boolean).join(" ");
}

function element(name, values) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(values)) made.setAttribute(key, value);
  return made;
}

function marks(timeline) {
  const length = Number(timeline.dataset.length);
  const seen = length / zoom;
  const step = STEPS.find((one) => seen / one <= 7) ?? STEPS.at(-1);
  const grid = timeline.querySelector(":scope > .grid");
  const axis = timeline.querySelector(":scope > .axis svg");
  grid.replaceChildren();
  axis.replaceChildren();
  const start = from * length;
  for (let at = Math.ceil(start / step - 1e-9); at * step <= start + seen; at += 1) {
    const x = ((at * step - start) / seen) * 100;
    grid.append(element("line", { x1: `${x}%`, x2: `${x}%`, y1: 0, y2: "100%" }));
    const text = element("text", { x: `${x}%`, y: 14, "text-anchor": x > 92 ? "end" : x > 4 ? "middle" : "start" });
    text.textContent = words(+(at * step).toFixed(6), step);
    axis.append(text);
  }
}

function draw() {
  const timeline = document.querySelector("#timeline > .timeline");
  if (!timeline) return;
  const zoomed = zoom > 1;
  if (!zoomed && !timeline.classList.contains("zoomed")) return;
  timeline.classList.toggle("zoomed", zoomed);
  timeline.style.setProperty("--zoom", zoom);
  timeline.style.setProperty("--pan", from * zoom);
  marks(timeline);
}

function set(next, centre = 0.5) {
  const bounded = Math.min(Math.max(next, 1), MAX);
  const at = from + centre / zoom;
  zoom = bounded;
  pan(at - centre / zoom);
}

function pan(next) {
  from = Math.min(Math.max(next, 0), 1 - 1 / zoom);
  draw();
}

export function startTimeline() {
  const place = document.getElementById("timeline");
  if (!place) return;
  const buttons = document.querySelector(".zoom");
  buttons.hidden = false;
  buttons.addEventListener("click", (event) => {
    const way = event.target.dataset.zoom;
    if (way) set(way === "in" ? zoom * 2 : way === "out" ? zoom / 2 : 1);
  });
  place.addEventListener("wheel", (event) => {
    const lane = event.target.closest(".lane-box, .axis");
    if (!lane || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    const box = lane.getBoundingClientRect();
    set(zoom * Math.exp(-event.deltaY / 300), (event.clientX - box.left) / box.width);
  }, { passive: false });
  let drag;
  place.addEventListener("pointerdown", (event) => {
    const lane = event.target.closest(".lane-box, .axis");
    if (lane && zoom > 1 && event.button === 0) drag = { x: event.clientX, from, width: lane.clientWidth, moved: false };
  });
  addEventListener("pointermove", (event) => {
    if (!drag) return;
    drag.moved ||= Math.abs(event.clientX - drag.x) > 4;
    if (drag.moved) pan(drag.from - (event.clientX - drag.x) / drag.width / zoom);
  });
  addEventListener("pointerup", () => { setTimeout(() => { drag = undefined; }); });
  place.addEventListener("click", (event) => { if (drag?.moved) event.preventDefault(); }, true);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.matches?.("input, textarea, select")) return;
    if (event.key === "+") set(zoom * 2);
    else if (event.key === "-") set(zoom / 2);
    else if (event.key === "0") set(1);
    else if (zoom > 1 && event.key === "ArrowRight") pan(from + 0.2 / zoom);
    else if (zoom > 1 && event.key === "ArrowLeft") pan(from - 0.2 / zoom);
    else return;
    event.preventDefault();
  });
  document.addEventListener("htmx:after:swap", draw);
}
