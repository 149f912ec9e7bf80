// Ctrl+K: pages, the actions of this page, and runs by the beginning of their workflow id.

let choices = [];
let at = 0;
let asked = 0;

function entries() {
  const places = [...document.querySelectorAll("#places a")].map((link) => ({
    words: link.classList.contains("space") ? "Change the namespace" : link.textContent.trim(),
    hint: link.dataset.go ? `g ${link.dataset.go}` : "",
    run: () => location.assign(link.href),
  }));
  const actions = [...document.querySelectorAll("main [data-action]")].filter((one) => one.checkVisibility()).map((one) => ({
    words: one.dataset.action,
    hint: "action",
    run: () => one.click(),
  }));
  return [...actions, ...places];
}

function draw(dialog, found) {
  choices = found;
  at = 0;
  const list = dialog.querySelector("ul");
  list.replaceChildren(...found.map((choice, index) => {
    const item = document.createElement("li");
    item.id = `palette-${index}`;
    item.role = "option";
    item.append(choice.words);
    const hint = document.createElement("small");
    hint.textContent = choice.hint;
    item.append(hint);
    item.addEventListener("click", () => pick(dialog, index));
    return item;
  }));
  mark(dialog);
}

function mark(dialog) {
  dialog.querySelectorAll("li").forEach((item, index) => item.setAttribute("aria-selected", String(index === at)));
  const chosen = dialog.querySelector(`#palette-${at}`);
  chosen?.scrollIntoView({ block: "nearest" });
  const input = dialog.querySelector("input");
  if (chosen) input.setAttribute("aria-activedescendant", chosen.id);
  else input.removeAttribute("aria-activedescendant");
}

function pick(dialog, index) {
  const choice = choices[index];
  if (!choice) return;
  dialog.close();
  choice.run();
}

async function runs(dialog, text) {
  const address = new URL(dialog.dataset.runs, location.href);
  address.search = new URLSearchParams({ query: `WorkflowId STARTS_WITH '${text.replace(/['\\]/g, "\\$&")}'`, rows: "1", format: "json" });
  const answer = await fetch(address);
  if (!answer.ok) return [];
  const found = await answer.json();
  return found.rows.slice(0, 8).map((row) => ({
    words: row.workflow_id,
    hint: `${row.status} · ${row.type}`,
    run: () => location.assign(`${dialog.dataset.runs}/${encodeURIComponent(row.workflow_id)}/${row.run_id}`),
  }));
}

async function search(dialog) {
  const text = dialog.querySelector("input").value.trim();
  const mine = ++asked;
  const fits = entries().filter((choice) => choice.words.toLowerCase().includes(text.toLowerCase()));
  draw(dialog, fits);
  if (text.length < 2) return;
  await new Promise((resume) => setTimeout(resume, 150));
  if (mine !== asked) return;
  const found = await runs(dialog, text);
  if (mine === asked && found.length) draw(dialog, [...fits, ...found]);
}

export function openPalette() {
  document.getElementById("palette").showModal();
  return search(document.getElementById("palette"));
}

export function startPalette() {
  const dialog = document.getElementById("palette");
  const input = dialog.querySelector("input");
  dialog.addEventListener("outlive:open", () => search(dialog));
  dialog.addEventListener("close", () => { input.value = ""; });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  input.addEventListener("input", () => search(dialog));
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && choices.length) {
      at = (at + step + choices.length) % choices.length;
      mark(dialog);
    } else if (event.key === "Enter") {
      pick(dialog, at);
    } else {
      return;
    }
    event.preventDefault();
  });
}
