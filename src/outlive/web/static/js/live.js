// What the stream of a live page is doing, in the bar. The stream itself is htmx's: it pauses with a hidden page.

const WORDS = { paused: "Paused", connecting: "Reconnecting" };

function show(state) {
  const live = document.querySelector("#live .live");
  if (!live || live.dataset.live === "closed") return;
  live.textContent = WORDS[state];
  live.className = "live";
  live.dataset.live = state;
}

export function startLive() {
  document.addEventListener("htmx:after:swap", () => {
    const title = document.querySelector("[data-title]")?.dataset.title;
    if (title && document.title !== title) document.title = title;
  });
  document.addEventListener("htmx:sse:error", () => show("connecting"));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) show("paused");
  });
}
