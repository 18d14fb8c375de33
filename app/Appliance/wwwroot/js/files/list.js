// The list as a whole: further rows as one scrolls, and the count below. How it follows what others change: refresh.js.
import { api } from './api.js';
import { count } from './announce.js';
import { icon, element } from './dom.js';
import { folder, onPage, root } from './page.js';
import { all, body, make } from './rows.js';
import { rows as comingRows, waiting } from './skeleton.js';
import { size } from '../uploads/text.js';

export const PAGE = 200;
export const MOST = 1000;
let loading = null;

export const query = (after, limit) => new URLSearchParams(Object.entries({
  folder: folder(), after, limit, sort: root().dataset.sort, order: root().dataset.order,
}).filter(([, value]) => value !== null && value !== undefined && value !== ''));
export const byReference = () => new Map(all().map((row) => [row.dataset.entry, row]));
export const more = () => root()?.querySelector('[data-more]') ?? null;

onPage((main) => {
  loading = null;
  const link = main.querySelector('[data-more]');
  if (!link) return;
  // Well before its end, so that scrolling does not wait.
  const observer = new IntersectionObserver(async (seen) => {
    if (!seen.some((entry) => entry.isIntersecting)) return;
    await loadMore().catch(() => {});
    observer.unobserve(link);
    if (link.isConnected && !link.title) observer.observe(link); // asked again: it may still be in sight
  }, { rootMargin: '1200px' });
  observer.observe(link);
  link.addEventListener('click', (event) => {
    event.preventDefault();
    loadMore().catch(() => {});
  });
});

export function loadMore(limit = PAGE) {
  loading ??= load(limit).finally(() => { loading = null; });
  return loading;
}

async function load(limit) {
  const link = more();
  if (!link) return;
  const list = root();
  link.textContent = 'Loading …';
  const done = waiting(list, () => comingRows(list));
  try {
    const { entries, next } = await api('GET', `/entries?${query(link.dataset.more, limit)}`);
    if (list !== root()) return; // another page has taken its place
    done();
    const known = byReference();
    body().append(...entries.filter((entry) => !known.has(entry.reference)).map(make));
    list.dispatchEvent(new CustomEvent('files:rows'));
    advance(link, next);
  } catch (error) {
    link.replaceChildren(icon('retry'), 'Try again');
    link.title = error.message;
    throw error;
  } finally {
    done();
  }
  show();
}

export function advance(link, next) {
  if (next === null) {
    link.remove();
    return;
  }
  link.dataset.more = next;
  link.textContent = 'Show more';
  const address = new URL(root().dataset.here, location.href);
  address.searchParams.set('after', next);
  link.href = address;
}

export async function loadAll() {
  while (more()) await loadMore(MOST);
}

// What the list says of itself: how much there is, or that there is nothing.
export function show() {
  const list = root();
  if (!list) return;
  const rows = all();
  const empty = rows.length === 0 && !more();
  list.querySelector('[data-list]').hidden = empty;
  list.querySelector('[data-empty]').hidden = !empty;
  const place = list.querySelector('[data-count]');
  const folders = rows.filter((row) => row.dataset.kind === 'folder').length;
  const files = rows.length - folders;
  const bytes = rows.reduce((sum, row) => sum + Number(row.dataset.size), 0);
  const parts = [folders > 0 ? count(folders, 'folder') : '', files > 0 ? `${count(files, 'file')}, ${size(bytes)}` : ''].filter(Boolean);
  place.replaceChildren(element('span', '', parts.join(', ')), more() ? ' so far.' : empty ? '' : '.');
}
