// Forms that change something, sent without leaving the page: what is wrong is said beside its field, an answer is
// shown below the form, and what was done is said in a corner. Without this script they are plain forms.

const SAID = "outlive-said";

export function say(words) {
  const note = document.createElement("p");
  note.textContent = words;
  document.getElementById("notices").append(note);
  setTimeout(() => note.remove(), 8000);
}

function complain(form, problems) {
  for (const place of form.querySelectorAll("[data-wrong]")) place.textContent = "";
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
  let first;
  const rest = [];
  for (const [name, words] of Object.entries(problems)) {
    const place = form.querySelector(`[data-wrong="${CSS.escape(name)}"]`);
    const field = name && form.elements.namedItem(name);
    if (!place) {
      rest.push(words);
      continue;
    }
    place.textContent = words;
    if (field instanceof Element) {
      field.setAttribute("aria-invalid", "true");
      first ??= field;
    }
  }
  if (rest.length) {
    const whole = form.querySelector('[data-wrong=""]');
    if (whole) whole.textContent = [whole.textContent, ...rest].filter(Boolean).join(" ");
    else say(rest.join(" "));
  }
  first?.focus();
}

function go(address, words) {
  const target = new URL(address, location.href);
  const same = target.pathname === location.pathname && target.search === location.search;
  if (same && document.querySelector("#live .live.on")) return say(words);
  try {
    if (words) sessionStorage.setItem(SAID, words);
  } catch {
    // Storage is forbidden: the page that comes shows it anyway.
  }
  if (same) location.reload();
  else location.assign(target);
}

async function send(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  const answer = await fetch(form.action, { method: "POST", body, headers: { "X-Outlive-Form": "1" } });
  const found = await answer.json();
  complain(form, found.problems ?? {});
  const place = form.querySelector("[data-answer]");
  if (place) place.innerHTML = found.html ?? "";
  if (found.html) htmx.process(place);
  if (!found.location) return;
  form.closest("dialog")?.close();
  form.closest("[popover]")?.hidePopover();
  go(found.location, found.words);
}

// An opener's `data-fill-event="17"` puts 17 into the field `event` of the dialog that it opens.
function fill(dialog, name, value) {
  const field = dialog.querySelector(`[name="${CSS.escape(name)}"]`);
  if (field) field.value = value;
}

export function startForms() {
  try {
    const said = sessionStorage.getItem(SAID);
    sessionStorage.removeItem(SAID);
    if (said) say(said);
  } catch {
    // Storage is forbidden.
  }
  for (const note of document.querySelectorAll("#notices p")) setTimeout(() => note.remove(), 8000);
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-form]")) return;
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "1";
    const buttons = [...form.querySelectorAll("button:not([type=button])")];
    try {
      const sent = send(form, event.submitter);
      buttons.forEach((button) => { button.disabled = true; });
      await sent;
    } catch (error) {
      complain(form, { "": `It was not sent: ${error.message}.` });
    } finally {
      delete form.dataset.busy;
      buttons.forEach((button) => { button.disabled = false; });
    }
  });
  document.addEventListener("click", (event) => {
    const opener = event.target.closest?.("[data-opens]");
    if (!opener) return;
    const dialog = document.getElementById(opener.dataset.opens);
    for (const [key, value] of Object.entries(opener.dataset)) {
      if (key.startsWith("fill")) fill(dialog, key.slice(4).toLowerCase(), value);
    }
    dialog.dispatchEvent(new CustomEvent("outlive:open", { detail: opener }));
    dialog.showModal();
  });
}
