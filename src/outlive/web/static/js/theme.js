// Before the first paint: the theme that was chosen, if one was. Loaded in the head, so that nothing flashes.
try {
  const chosen = localStorage.getItem("outlive-theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is forbidden: the system's theme it is.
}
