// Menus are <details class="menu" name="menu">; the phone's navigation is <nav popover>. Both work without this module, which adds:
// Escape and a click elsewhere close a menu and give the focus back; arrow keys, Home and End walk through its items.
const OPEN = 'details.menu[open]';
const items = (menu) => [...menu.querySelectorAll(':is(a, button, input):not(:disabled, [hidden])')].filter((item) => item.checkVisibility());

function close(menu, refocus) {
  menu.open = false;
  if (refocus) menu.querySelector('summary').focus();
}

function move(menu, key) {
  const all = items(menu);
  if (all.length === 0) return;
  const at = all.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[key];
  all.at(to % all.length).focus();
}

document.addEventListener('keydown', (event) => {
  const menu = event.target.closest?.('details.menu');
  if (!menu) return;
  if (event.key === 'Escape' && menu.open) {
    event.preventDefault();
    event.stopPropagation();
    close(menu, true);
    return;
  }
  if (event.target.type === 'radio') return; // arrow keys already mean something there
  const opens = event.target.tagName === 'SUMMARY' && (event.key === 'ArrowDown' || event.key === 'ArrowUp');
  if (!opens && !menu.open) return;
  if (!['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key)) return;
  event.preventDefault();
  menu.open = true;
  move(menu, event.key);
});

document.addEventListener('pointerdown', (event) => {
  for (const menu of document.querySelectorAll(OPEN)) {
    if (!menu.contains(event.target)) close(menu, false);
  }
});

// Leaving with Tab closes what was left behind.
document.addEventListener('focusin', (event) => {
  for (const menu of document.querySelectorAll(OPEN)) {
    if (!menu.contains(event.target)) close(menu, false);
  }
});

// A menu item that opens a dialog leaves no menu open behind it.
document.addEventListener('click', (event) => {
  const item = event.target.closest('.menu-panel :is(a, button)');
  const menu = item?.closest(OPEN);
  if (menu) close(menu, item.hasAttribute('data-dialog'));
});
