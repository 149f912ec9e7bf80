// Completion of the list filter: the server knows the grammar, the attributes and the values that runs have.

export function startComplete(input) {
  const list = document.getElementById("complete");
  let found = { items: [] };
  let at = -1;
  let asked = 0;

  function close() {
    list.hidden = true;
    at = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function mark() {
    [...list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === at)));
    if (at < 0) return;
    input.setAttribute("aria-activedescendant", `complete-${at}`);
    list.children[at].scrollIntoView({ block: "nearest" });
  }

  function draw() {
    list.replaceChildren(...found.items.map((one, index) => {
      const item = document.createElement("li");
      item.id = `complete-${index}`;
      item.role = "option";
      item.append(one.text.trim());
      const hint = document.createElement("small");
      hint.textContent = one.hint;
      item.append(hint);
      item.addEventListener("mousedown", (event) => {
        event.preventDefault();
        take(index);
      });
      return item;
    }));
    if (!found.items.length) return close();
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
    at = -1;
    mark();
  }

  function take(index) {
    const text = found.items[index].text;
    input.setRangeText(text, found.start, found.end, "end");
    ask();
  }

  async function ask() {
    const mine = ++asked;
    const address = new URL(input.dataset.complete, location.href);
    address.search = new URLSearchParams({ text: input.value, at: input.selectionStart });
    const answer = await fetch(address);
    if (mine !== asked || !answer.ok || document.activeElement !== input) return;
    found = await answer.json();
    draw();
  }

  let wait;
  const soon = () => {
    clearTimeout(wait);
    wait = setTimeout(ask, 90);
  };
  input.addEventListener("input", soon);
  input.addEventListener("click", soon);
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (list.hidden) {
      if (event.key === "ArrowDown") ask();
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) at = (at + step + found.items.length) % found.items.length;
    else if ((event.key === "Enter" && at >= 0) || event.key === "Tab") take(Math.max(at, 0));
    else if (event.key === "Escape") close();
    else return;
    mark();
    event.preventDefault();
    event.stopPropagation();
  });
}
