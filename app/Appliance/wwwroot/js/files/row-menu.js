// The menu of a row ("⋯", the right button, or the menu key): one element, filled for the row it is opened on. Without script "⋯" leads to a page.
import { move, trash } from './actions.js';
import { button, icon } from './dom.js';
import { cut } from './clipboard.js';
import { download } from './download.js';
import { rename } from './naming.js';
import { root } from './page.js';
import { showPanel } from './panel.js';
import { changeable, panelAddress } from './rows.js';
import { choose, focus, selected, targets } from './select.js';
import { toast } from '../toast.js';
import { view } from './viewer.js';

const menu = () => document.getElementById('row-menu');
let opener = null;

function items(row) {
  const rows = targets(row);
  const one = rows.length === 1;
  const isFolder = row.dataset.kind === 'folder';
  const may = changeable(rows).length === rows.length;
  return [
    one && isFolder && ['folder', 'Open', () => row.querySelector('.file-name').click()],
    one && !isFolder && ['expand', 'View full screen', () => view(row.dataset.entry), 'V'],
    one && ['panel', 'Details', () => showPanel(row.dataset.entry)],
    ['download', one && !isFolder ? 'Download' : 'Download as ZIP', () => download(rows)],
    one && may && ['edit', 'Rename', () => rename(row), 'F2'],
    may && ['scissors', 'Cut', () => cut(rows), 'Ctrl+X'],
    may && ['move', 'Move to …', () => move(rows), 'M'],
    one && ['link', 'Copy link', () => copyLink(row)],
    may && ['trash', 'Move to trash', () => trash(rows), 'Delete'],
  ].filter(Boolean);
}

async function copyLink(row) {
  const address = row.dataset.kind === 'folder' ? row.querySelector('.file-name').href : new URL(panelAddress(row.dataset.entry), location.href).href;
  try {
    await navigator.clipboard.writeText(address);
    toast('Link copied. It works for members of the team.');
  } catch {
    toast(`The browser did not allow copying. The link: ${address}`);
  }
}

function openAt(row, x, y, from) {
  opener = from;
  if (selected().length > 0 && !selected().includes(row)) choose(row);
  menu().replaceChildren(...items(row).map(([picture, text, run, keys]) => {
    const item = button(`menu-item${picture === 'trash' ? ' menu-item-danger' : ''}`, icon(picture), () => {
      menu().hidePopover();
      focus(row);
      run();
    });
    item.setAttribute('role', 'menuitem');
    item.append(text);
    if (keys) {
      const hint = document.createElement('kbd');
      hint.textContent = keys;
      hint.setAttribute('aria-hidden', 'true');
      item.append(hint);
    }
    return item;
  }));
  menu().showPopover();
  const { width, height } = menu().getBoundingClientRect();
  menu().style.left = `${Math.max(8, Math.min(x, innerWidth - width - 8))}px`;
  menu().style.top = `${Math.max(8, y + height > innerHeight - 8 ? Math.max(8, y - height) : y)}px`;
  menu().querySelector('button').focus();
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('[data-row-menu]');
  if (!link || !root() || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  event.stopPropagation();
  const at = link.getBoundingClientRect();
  openAt(link.closest('tr'), at.right - 220, at.bottom + 4, link);
}, { capture: true });

document.addEventListener('contextmenu', (event) => {
  const row = event.target.closest?.('[data-rows] > tr');
  if (!row || getSelection().toString() !== '') return; // its text has the browser's own menu
  event.preventDefault();
  openAt(row, event.clientX, event.clientY, row);
});

document.addEventListener('keydown', (event) => {
  if (!event.target.closest?.('#row-menu')) return;
  const all = [...menu().querySelectorAll('button')];
  const at = all.indexOf(document.activeElement);
  const to = { ArrowDown: (at + 1) % all.length, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
  if (event.key === 'Tab' || event.key === 'Escape') {
    menu().hidePopover();
    opener?.focus();
  } else if (to === undefined) {
    return;
  } else {
    all.at(to).focus();
  }
  event.preventDefault();
});
