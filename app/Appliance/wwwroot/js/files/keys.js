// Everything by keyboard. Keys that stand alone mean nothing while somebody types, in a dialog, or in a menu.
import { move, trash } from './actions.js';
import { cut, isCutting, paste } from './clipboard.js';
import { shortcuts } from './commands.js';
import { newFolder, rename } from './naming.js';
import { root } from './page.js';
import { all, changeable } from './rows.js';
import { activeRow, choose, clear, focus, selectAll, selected, targets } from './select.js';
import { closePanel, panelIsOpen } from './panel.js';
import { columns } from './tiles.js';
import { view } from './viewer.js';
import { isTiles } from './view.js';

const typing = (target) => target.closest?.('input:not([type="checkbox"], [type="radio"]), select, textarea, [contenteditable], dialog, [popover]:not(.sidenav), details.menu[open], .tray');
const inList = (target) => target.closest?.('[data-rows]');

const ANYWHERE = {
  '?': () => shortcuts(),
  n: () => document.querySelector('[data-act="new-folder"]') && newFolder(),
  u: () => document.querySelector('[data-upload-choose]')?.click(),
};
const IN_LIST = {
  ArrowDown: (event) => walk(event, columns()),
  ArrowUp: (event) => walk(event, -columns()),
  ArrowRight: (event) => walk(event, 1),
  ArrowLeft: (event) => walk(event, -1),
  Home: (event) => to(event, all()[0]),
  End: (event) => to(event, all().at(-1)),
  PageDown: (event) => walk(event, 10),
  PageUp: (event) => walk(event, -10),
  ' ': (event) => choose(activeRow(), { add: true, range: event.shiftKey }),
  Enter: () => activeRow()?.querySelector('.file-name').click(),
  F2: () => changeable([activeRow()].filter(Boolean)).forEach(rename),
  Delete: () => trash(changeable(targets())),
  m: () => move(changeable(targets())),
  v: () => activeRow()?.dataset.kind === 'file' && view(activeRow().dataset.entry),
  ContextMenu: () => activeRow()?.querySelector('[data-row-menu]').click(),
};
const WITH_CONTROL = {
  a: () => selectAll(),
  x: () => cut(changeable(targets())),
  v: () => paste(),
};

function to(event, row) {
  if (!row) return;
  if (event.shiftKey) choose(row, { range: true });
  focus(row);
}

function walk(event, by) {
  const rows = all();
  const at = rows.indexOf(activeRow());
  // The first arrow from elsewhere in a row comes to the row itself.
  to(event, rows[Math.min(rows.length - 1, Math.max(0, at + by))]);
}

document.addEventListener('keydown', (event) => {
  if (!root() || event.defaultPrevented || event.isComposing || typing(event.target)) return;
  if (event.key === 'Escape') {
    if (selected().length > 0) clear();
    else if (isCutting()) cut([]);
    else if (panelIsOpen()) closePanel();
    return;
  }
  const run = pick(event);
  if (!run) return;
  event.preventDefault();
  run(event);
});

function pick(event) {
  const controlled = event.ctrlKey || event.metaKey;
  if (event.altKey) return null;
  if (controlled) {
    // Copying text out of the page stays the browser's.
    if (event.key === 'x' && getSelection().toString() !== '') return null;
    if (event.key === 'a' && !inList(event.target) && event.target !== document.body && !event.target.closest('[data-files]')) return null;
    return event.shiftKey ? null : WITH_CONTROL[event.key];
  }
  const alone = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const inner = event.target.closest?.('a, button, input, summary');
  if (inList(event.target)) {
    // Inside a row Space and Enter are the link's, the box's, the button's own.
    if (inner && (event.key === ' ' || event.key === 'Enter')) return null;
    if ((alone === 'ArrowLeft' || alone === 'ArrowRight') && !isTiles()) return null;
    if (IN_LIST[alone]) return IN_LIST[alone];
  } else if ((alone === 'ArrowDown' || alone === 'ArrowUp') && event.target === document.body) {
    return () => focus(activeRow() ?? all()[0]);
  } else if ((alone === 'Delete' || alone === 'm') && selected().length > 0) {
    return IN_LIST[alone];
  }
  if (alone === 'Backspace') return () => document.querySelector('.breadcrumbs li:nth-last-child(2) a')?.click();
  return ANYWHERE[alone] ?? null;
}
