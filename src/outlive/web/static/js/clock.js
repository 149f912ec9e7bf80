// Relative times beside the absolute ones, and durations that go on. Once a second, while the page is seen.

export function ago(milliseconds) {
  const future = milliseconds < 0;
  const s = Math.round(Math.abs(milliseconds) / 1000);
  if (s < 2) return "now";
  const [n, unit] = s < 60 ? [s, "s"] : s < 3600 ? [Math.floor(s / 60), "min"]
    : s < 86400 ? [Math.floor(s / 3600), "h"] : [Math.floor(s / 86400), "d"];
  return future ? `in ${n} ${unit}` : `${n} ${unit} ago`;
}

export function span(milliseconds) {
  const s = Math.max(0, Math.floor(milliseconds / 1000));
  const pair = (big, bigUnit, small, smallUnit) => {
    const rest = Math.floor((s % big) / small);
    return `${Math.floor(s / big)} ${bigUnit}${rest ? ` ${String(rest).padStart(2, "0")} ${smallUnit}` : ""}`;
  };
  if (s < 60) return `${s} s`;
  if (s < 3600) return pair(60, "min", 1, "s");
  return s < 86400 ? pair(3600, "h", 60, "min") : pair(86400, "d", 3600, "h");
}

function tick() {
  const now = Date.now();
  for (const time of document.querySelectorAll("time[data-relative]")) {
    const text = ago(now - Date.parse(time.dateTime));
    if (time.dataset.ago !== text) time.dataset.ago = text;
  }
  for (const element of document.querySelectorAll("[data-since]")) {
    const text = span(now - Date.parse(element.dataset.since));
    if (element.textContent !== text) element.textContent = text;
  }
}

export function startClock() {
  tick();
  setInterval(() => { if (!document.hidden) tick(); }, 1000);
  document.addEventListener("htmx:after:swap", tick);
}
