// Which rows are selected, by pointer, checkbox or keyboard, and the bar that says so. aria-selected on a row is the truth; its checkbox follows.
// Rows are walked with a roving focus: one row, and what is in it, is in the order of Tab.
import { announce, count } from './announce.js';
import { loadAll } from './list.js';
import { onPage, root } from './page.js';
import { all, body, label } from './rows.js';
import { size } from '../uploads/text.js';

let anchor = null; // where a range begins
let active = null;

export const selected = () => (body() ? [...body().querySelectorAll(':scope > [aria-selected="true"]')] : []);
export const activeRow = () => (active?.isConnected ? active : null);
export const targets = (row = activeRow()) => {
  const chosen = selected();
  return chosen.length > 0 && (!row || chosen.includes(row)) ? chosen : row ? [row] : [];
};

onPage((main) => {
  [anchor, active] = [null, null];
  const list = main.querySelector('[data-files]');
  if (!list) return;
  list.addEventListener('files:rows', ready);
  const everything = list.querySelector('[data-select-all]');
  everything.hidden = false;
  everything.addEventListener('change', () => (everything.checked ? selectAll() : clear()));
  list.querySelector('[data-act="clear"]').hidden = false;
  list.querySelector('[data-rows]').addEventListener('click', clicked);
  list.querySelector('[data-rows]').addEventListener('focusin', (event) => makeActive(event.target.closest('tr')));
  for (const row of all()) mark(row, row.querySelector('input').checked);
  ready();
});

const inner = (row) => row.querySelectorAll('a, input, button');

// New rows are out of the order of Tab until one walks to them.
function ready() {
  for (const row of all()) {
    if (row.tabIndex === 0 && row === active) continue;
    if (row.hasAttribute('tabindex')) continue;
    row.tabIndex = -1;
    row.draggable = true;
    if (!row.hasAttribute('aria-selected')) row.setAttribute('aria-selected', 'false');
    for (const part of inner(row)) part.tabIndex = -1;
  }
  if (!activeRow()) makeActive(all()[0]);
  tell(false);
}

export function makeActive(row) {
  if (!row || row === active) return;
  if (active) for (const part of [active, ...inner(active)]) part.tabIndex = -1;
  active = row;
  for (const part of [active, ...inner(active)]) part.tabIndex = 0;
}

export function focus(row) {
  if (!row) return;
  makeActive(row);
  row.focus();
  row.scrollIntoView({ block: 'nearest' });
}

// Where the focus goes when this row is about to leave: the next one, else the one before.
export function neighbour(rows) {
  const going = new Set(rows);
  let at = rows.at(-1)?.nextElementSibling ?? null;
  while (at && going.has(at)) at = at.nextElementSibling;
  if (at) return at;
  at = rows[0]?.previousElementSibling ?? null;
  while (at && going.has(at)) at = at.previousElementSibling;
  return at;
}

function mark(row, on) {
  row.setAttribute('aria-selected', String(on));
  row.querySelector('input').checked = on;
}

export function choose(row, { range = false, add = false } = {}) {
  const rows = all();
  if (range) {
    if (!anchor?.isConnected) anchor = activeRow() ?? row; // where one stands, nothing having been chosen yet
    const [from, to] = [rows.indexOf(anchor), rows.indexOf(row)].sort((a, b) => a - b);
    rows.forEach((other, at) => mark(other, (at >= from && at <= to) || (add && other.getAttribute('aria-selected') === 'true')));
  } else if (add) {
    mark(row, row.getAttribute('aria-selected') !== 'true');
    anchor = row;
  } else {
    for (const other of selected()) mark(other, false);
    mark(row, true);
    anchor = row;
  }
  makeActive(row);
  tell();
}

export async function selectAll() {
  await loadAll();
  for (const row of all()) mark(row, true);
  tell();
}

export function clear() {
  for (const row of selected()) mark(row, false);
  tell();
}

export function tell(aloud = true) {
  const list = root();
  if (!list) return;
  const chosen = selected();
  const bar = list.querySelector('[data-selection]');
  const bytes = chosen.reduce((sum, row) => sum + Number(row.dataset.size), 0);
  const text = chosen.length === 0 ? '' : `${count(chosen.length, 'item')} selected${bytes > 0 ? `, ${size(bytes)}` : ''}`;
  bar.toggleAttribute('data-any', chosen.length > 0);
  bar.querySelector('[data-selection-text]').textContent = text;
  const everything = list.querySelector('[data-select-all]');
  everything.checked = chosen.length > 0 && chosen.length === all().length;
  everything.indeterminate = chosen.length > 0 && !everything.checked;
  if (aloud) announce(chosen.length === 0 ? 'Nothing selected' : chosen.length === 1 ? `${label(chosen[0])} selected` : text);
}

function clicked(event) {
  const row = event.target.closest('tr');
  if (!row || event.defaultPrevented) return;
  if (event.target.matches('input')) {
    choose(row, { add: true, range: event.shiftKey });
    row.querySelector('input').checked = row.getAttribute('aria-selected') === 'true';
    return;
  }
  if (event.target.closest('label')) return; // its checkbox is clicked next
  if (event.target.closest('a') && !(event.shiftKey || event.ctrlKey || event.metaKey)) return;
  if (getSelection().toString() !== '' && !event.shiftKey) return; // somebody selects text
  if (event.target.closest('a')) event.preventDefault();
  if (event.shiftKey) getSelection().removeAllRanges();
  choose(row, { range: event.shiftKey, add: event.ctrlKey || event.metaKey || matchMedia('(pointer: coarse)').matches });
  row.focus({ preventScroll: true });
}
