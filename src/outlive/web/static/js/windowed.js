// Scrolling on: the next page of rows is added when the end comes near, and pages far from the eye give way to empty
// space of their height, so that the page stays light however far down it goes.

const NEAR = 1500; // pixels from the screen

export function startWindow() {
  const place = document.getElementById("more-rows");
  const pager = document.getElementById("pager");
  const pages = [];
  let loading = false;

  async function fetched(address) {
    const answer = await fetch(address);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    const table = found.querySelector("#rows table");
    table?.querySelector("thead")?.remove();
    return { table, next: found.querySelector("#pager a[rel=next]") };
  }

  function stopStream() {
    const stream = document.getElementById("stream");
    if (!stream) return;
    stream.remove();
    const live = document.querySelector("#live .live");
    if (live) {
      live.className = "live";
      live.textContent = "Paused: reload for newer runs";
      live.dataset.live = "closed";
    }
  }

  async function more() {
    const next = pager.querySelector("a[rel=next]");
    if (loading || !next) return;
    loading = true;
    try {
      stopStream(); // rows that move down from the first page would be missing
      const { table, next: following } = await fetched(next.href);
      const page = document.createElement("div");
      if (table) page.append(table);
      place.append(page);
      pages.push({ page, address: next.href, full: true });
      if (following) next.href = following.getAttribute("href");
      else next.remove();
    } catch {
      observer.unobserve(pager); // the link to the next page is still there
    } finally {
      loading = false;
    }
  }

  async function refill(one) {
    one.full = true;
    try {
      const { table } = await fetched(one.address);
      if (table) one.page.replaceChildren(table);
      one.page.className = "";
      one.page.style.height = "";
    } catch {
      one.full = false;
    }
  }

  function tidy() {
    for (const one of pages) {
      const box = one.page.getBoundingClientRect();
      const far = box.bottom < -3 * NEAR || box.top > innerHeight + 3 * NEAR;
      const near = box.bottom > -NEAR && box.top < innerHeight + NEAR;
      const held = one.page.querySelector(":checked") || one.page.contains(document.activeElement);
      if (one.full && far && !held) {
        one.page.style.height = `${box.height}px`;
        one.page.className = "spacer";
        one.page.replaceChildren();
        one.full = false;
      } else if (!one.full && near) {
        refill(one);
      }
    }
  }

  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting) && scrollY > 0) more();
  }, { rootMargin: `${NEAR}px` });
  observer.observe(pager);
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      tidy();
      if (pager.getBoundingClientRect().top < innerHeight + NEAR) more();
    });
  }, { passive: true });
}
