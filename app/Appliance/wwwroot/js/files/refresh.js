// The list as others change it: read anew when there is reason to, and looked at every few seconds while it is in sight. The server answers 304 while
// nothing changed; what it says otherwise is put in place row by row, so that selection, focus and what is being typed stay.
import { announce } from './announce.js';
import { api } from './api.js';
import { isDragging } from './drag.js';
import { advance, byReference, more, MOST, PAGE, query, show } from './list.js';
import { root, team } from './page.js';
import { all, place } from './rows.js';
import { focus, neighbour, tell } from './select.js';
import { toast } from '../toast.js';

const LOOK_MS = 8000;
const REST_MS = 120_000; // while there is no connection
const MOST_PAGES = 5;

// Reads what is shown anew; answers how much of it had changed.
export async function refresh() {
  const list = root();
  if (!list) return null;
  const wanted = Math.max(PAGE, all().length);
  const seen = [];
  let [next, pages] = [null, 0];
  do {
    const page = await api('GET', `/entries?${query(next, Math.min(MOST, Math.max(PAGE, wanted - seen.length)))}`);
    if (list !== root()) return null;
    seen.push(...page.entries);
    next = page.next;
    pages += 1;
  } while (next !== null && (seen.length < wanted || (!more() && pages < MOST_PAGES)));
  return put(list, seen, next);
}

function put(list, seen, next) {
  const present = new Set(seen.map((entry) => entry.reference));
  const gone = all().filter((row) => !present.has(row.dataset.entry));
  const heir = gone.some((row) => row.contains(document.activeElement)) ? neighbour(gone) : null;
  for (const row of gone) row.remove();
  const known = byReference();
  const [added, changed] = [[], []];
  for (const entry of seen) {
    const row = known.get(entry.reference);
    if (row && row.dataset.name === entry.name && row.dataset.modified === entry.modifiedAt && Number(row.dataset.size) === (entry.size ?? 0)) continue;
    (row ? changed : added).push(entry);
    place(entry);
  }
  const link = more();
  if (link) advance(link, next);
  if (gone.length + added.length + changed.length > 0) {
    list.dispatchEvent(new CustomEvent('files:rows'));
    show();
    tell(false);
    if (heir) focus(heir);
  }
  return { added: added.length, changed: changed.length, gone: gone.length };
}

const isEditing = () => isDragging() || document.querySelector('dialog[open], #row-menu:popover-open, [data-drop-target]') !== null || getSelection().toString() !== '';

let seenTag = { of: null, tag: null };
let pause = LOOK_MS;
let over = null; // a list that is not there any more, or not for this person

async function look() {
  const list = root();
  if (!list || list === over || document.hidden || isEditing() || new URLSearchParams(location.search).has('after')) return;
  if (seenTag.of !== list) seenTag = { of: list, tag: null };
  const limit = Math.min(MOST, Math.max(PAGE, all().length));
  const answer = await fetch(`/api/v1/teams/${team()}/entries?${query(null, limit)}`, {
    cache: 'no-store',
    // Looking is not being there: the session locks as if nobody had asked.
    headers: { Accept: 'application/json', 'Appliance-Background': '1', ...(seenTag.tag ? { 'If-None-Match': seenTag.tag } : {}) },
  });
  if (list !== root() || answer.status === 304) return;
  if ([401, 403, 404].includes(answer.status) || answer.redirected) {
    over = list;
    if (answer.status === 404) toast('This folder is not there any more, or not open to you any more.', { kind: 'danger' });
    return;
  }
  if (!answer.ok) throw new Error(String(answer.status));
  const { entries, next } = await answer.json();
  if (list !== root() || isEditing()) return; // the next look sees it again
  const many = all().length > limit || (next !== null && !more());
  const changes = many ? await refresh() : put(list, entries, next);
  seenTag.tag = answer.headers.get('ETag');
  if (changes) say(changes);
}

function say({ added, changed, gone }) {
  const parts = [added > 0 ? `${added} new` : '', changed > 0 ? `${changed} changed` : '', gone > 0 ? `${gone} gone` : ''].filter(Boolean);
  if (parts.length > 0) announce(`This folder was changed: ${parts.join(', ')}.`);
}

async function keepLooking() {
  try {
    await look();
    pause = LOOK_MS;
  } catch {
    pause = Math.min(REST_MS, pause * 2);
  }
  setTimeout(keepLooking, pause);
}
setTimeout(keepLooking, LOOK_MS);

// Nobody looked meanwhile: all of it is read, and the person is there.
let away = 0;
const comeBack = async () => say(await refresh() ?? {});
document.addEventListener('visibilitychange', () => {
  if (document.hidden) away = Date.now();
  else if (root() && Date.now() - away > 10_000) comeBack().catch(() => {});
});
addEventListener('online', () => { if (root()) comeBack().catch(() => {}); });
