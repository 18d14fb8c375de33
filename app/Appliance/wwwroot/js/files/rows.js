// The list's rows. Each is a copy of the blank that the page brings along; its data-* hold what the list is sorted by.
import { size } from '../uploads/text.js';
import { refresh as refreshTimes } from '../time.js';
import { folderAddress, icons, root, team } from './page.js';
import { iconOf, key, split } from './names.js';

export const body = () => root()?.querySelector('[data-rows]') ?? null;
export const all = () => [...(body()?.rows ?? [])];
export const find = (reference) => body()?.querySelector(`[data-entry="${CSS.escape(reference)}"]`) ?? null;
// Those that who sees them may change; the server says no to the others, too.
export const changeable = (rows) => rows.filter((row) => row.dataset.fixed !== 'true');
export const label = (row) => row.dataset.name;

let blank = { of: null, row: null }; // looked for once on each page: there may be thousands of rows to copy

export function make(entry) {
  if (blank.of !== root()) blank = { of: root(), row: root().querySelector('[data-blank]').content.firstElementChild };
  const row = blank.row.cloneNode(true);
  fill(row, entry);
  return row;
}

export function fill(row, entry) {
  const isFolder = entry.kind === 'folder';
  const bytes = isFolder ? '' : size(entry.size ?? 0);
  const [stem, ending] = split(entry.name, entry.kind);
  Object.assign(row.dataset, { entry: entry.reference, kind: entry.kind, name: entry.name, size: entry.size ?? 0, media: entry.mediaType ?? '', modified: entry.modifiedAt });
  const check = row.querySelector('input');
  check.value = entry.reference;
  check.setAttribute('aria-label', `Select ${entry.name}`);
  const kind = iconOf(entry.name, entry.kind);
  const picture = row.querySelector('[data-icon]');
  picture.dataset.icon = kind;
  picture.querySelector('use').setAttribute('href', `${icons()}#i-${kind}`);
  const link = row.querySelector('.file-name');
  link.href = isFolder ? folderAddress(entry.reference) : panelAddress(entry.reference);
  link.title = entry.name;
  link.setAttribute('aria-label', entry.name); // in two pieces it would be read as two words
  link.querySelector('.file-stem').textContent = stem;
  link.querySelector('.file-ext').textContent = ending;
  const [folded, column] = row.querySelectorAll('[data-size-text]');
  folded.textContent = bytes && `${bytes} · `;
  column.textContent = bytes;
  for (const time of row.querySelectorAll('time')) time.dateTime = entry.modifiedAt;
  const menu = row.querySelector('[data-row-menu]');
  menu.href = `/teams/${team()}/files/${entry.reference}/details`;
  menu.setAttribute('aria-label', `Actions for ${entry.name}`);
  refreshTimes(row);
}

export function panelAddress(reference) {
  const here = new URL(root().dataset.here, location.href);
  here.searchParams.set('panel', reference);
  return here.pathname + here.search;
}

// Folders first, then by the column that the list is sorted by, then by name.
function compare(a, b) {
  if (a.dataset.kind !== b.dataset.kind) return a.dataset.kind === 'folder' ? -1 : 1;
  const { sort, order } = root().dataset;
  const turn = order === 'desc' && (sort !== 'size' || a.dataset.kind === 'file') ? -1 : 1; // folders have no size: by name
  const by = sort === 'size' ? Number(a.dataset.size) - Number(b.dataset.size) : sort === 'modified' ? Date.parse(a.dataset.modified) - Date.parse(b.dataset.modified) : 0;
  const [left, right] = [key(a.dataset.name), key(b.dataset.name)];
  return turn * (by || (left < right ? -1 : left > right ? 1 : 0));
}

// Puts an entry where it belongs, whether it is in the list already or not.
export function place(entry) {
  const old = find(entry.reference);
  const row = old ?? make(entry);
  if (old) fill(old, entry);
  const rows = all().filter((other) => other !== row);
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(rows[middle], row) < 0) low = middle + 1;
    else high = middle;
  }
  const next = rows[low] ?? null;
  if (!old || row.nextElementSibling !== next) body().insertBefore(row, next);
  return row;
}
