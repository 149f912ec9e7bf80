// Light, dark, or as the system says: one button goes round.

const NEXT = { "": "dark", dark: "light", light: "" };

export function nextTheme() {
  const root = document.documentElement;
  const theme = NEXT[root.dataset.theme ?? ""];
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  try {
    localStorage.setItem("outlive-theme", theme);
  } catch {
    // Storage is forbidden: the choice lasts as long as the page.
  }
}

export function startThemes() {
  document.getElementById("theme").addEventListener("click", nextTheme);
}
