// What a page does beyond showing itself. Everything works without it, only not live.
import { startClock } from "./clock.js";
import { startCopying } from "./copy.js";
import { startForms } from "./forms.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startMenus } from "./menus.js";
import { startPalette } from "./palette.js";
import { startThemes } from "./themes.js";

startClock();
startCopying();
startThemes();
startForms();
startMenus();
startPalette();
startKeys();
startLive();

// An address that ends in #event-17 opens that event.
function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!(target instanceof HTMLDetailsElement)) return;
  target.open = true;
  target.closest(".event")?.classList.add("sought");
  target.scrollIntoView({ block: "center" });
}
addEventListener("hashchange", openTarget);
openTarget();
