// Menus open below the button that opens them.

export function startMenus() {
  document.addEventListener("beforetoggle", (event) => {
    const menu = event.target;
    if (event.newState !== "open" || !menu.matches?.(".menu")) return;
    const opener = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`).getBoundingClientRect();
    menu.style.top = `${opener.bottom + 4}px`;
    menu.style.right = `${Math.max(document.documentElement.clientWidth - opener.right, 8)}px`;
  }, true);
  document.addEventListener("click", (event) => {
    const menu = event.target.closest?.(".menu");
    if (menu && event.target.closest("[data-opens]")) menu.hidePopover();
  });
}
