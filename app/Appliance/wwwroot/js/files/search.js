// The search field above: as one types, the names that match; Enter goes to all of them. On its own it is a form that leads to the same page.
// <form role="search" data-search="team"> <input name="q"> <div data-search-results>
import { element, icon } from './dom.js';
import { iconOf } from './names.js';
import { count } from './announce.js';
import { relative } from '../time.js';
import { size } from '../uploads/text.js';

const WAIT_MS = 120;
const MOST = 8;
const form = document.querySelector('[data-search]');
const field = form?.querySelector('input');
const list = form?.querySelector('[data-search-list]');
const box = form?.querySelector('[data-search-results]');
const status = form?.querySelector('[data-search-status]');
let [timer, asking, active] = [null, null, -1];

const options = () => [...list.querySelectorAll('[role="option"]')];

function open(on) {
  box.hidden = !on;
  field.setAttribute('aria-expanded', String(on));
  if (!on) choose(-1);
}

function choose(at) {
  const all = options();
  active = all.length === 0 ? -1 : at;
  all.forEach((option, index) => option.setAttribute('aria-selected', String(index === active)));
  if (active >= 0) {
    field.setAttribute('aria-activedescendant', all[active].id);
    all[active].scrollIntoView({ block: 'nearest' });
  } else {
    field.removeAttribute('aria-activedescendant');
  }
}

async function find() {
  asking?.abort();
  const text = field.value.trim();
  if (text === '') {
    open(false);
    return;
  }
  asking = new AbortController();
  try {
    const answer = await fetch(`/api/v1/teams/${form.dataset.search}/search?${new URLSearchParams({ q: text, limit: MOST })}`, { signal: asking.signal, headers: { Accept: 'application/json' } });
    if (!answer.ok || answer.redirected) throw new Error('refused');
    show(await answer.json(), text);
  } catch (error) {
    if (error.name === 'AbortError') return;
    list.replaceChildren();
    status.textContent = 'The search does not answer right now. Press Enter to try again.';
    open(true);
  }
}

function show({ entries, more }, text) {
  list.replaceChildren(...entries.map((entry, at) => option(entry, at, text)));
  status.textContent = entries.length === 0 ? `Nothing is called “${text}”. Names are searched, not contents.` : `${count(entries.length, 'result')}${more ? ', there are more: press Enter for all' : ''}`;
  open(true);
  choose(-1);
}

function option(entry, at, text) {
  const link = element('a', 'search-option');
  const parent = entry.path.at(-1)?.reference;
  link.href = entry.kind === 'folder' ? `/teams/${form.dataset.search}/files/${entry.reference}` : `/teams/${form.dataset.search}/files${parent ? `/${parent}` : ''}?panel=${entry.reference}`;
  Object.assign(link, { id: `search-${at}`, tabIndex: -1 });
  link.setAttribute('role', 'option');
  link.setAttribute('aria-selected', 'false');
  const where = ['Files', ...entry.path.map((step) => step.name)].join(' / ');
  const about = `${where}${entry.size === null ? '' : ` · ${size(entry.size)}`} · ${relative(new Date(entry.modifiedAt))}`;
  link.append(icon(iconOf(entry.name, entry.kind)), element('span', '', element('bdi', 'truncate', ...marked(entry.name, text)), element('small', 'truncate', about)));
  return link;
}

// What was typed, marked where it stands in the name, in any case.
export function marked(name, text) {
  const words = text.split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  if (words.length === 0) return [name];
  return name.split(new RegExp(`(${words.join('|')})`, 'giu')).filter(Boolean).map((part, at, all) =>
    (words.some((word) => new RegExp(`^${word}$`, 'iu').test(part)) ? element('mark', '', part) : part));
}

if (form) {
  field.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(find, WAIT_MS);
  });
  field.addEventListener('focus', () => { if (options().length > 0 && field.value.trim() !== '') open(true); });
  field.addEventListener('keydown', (event) => {
    const all = options();
    if (event.key === 'Escape' && !box.hidden) open(false);
    else if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && !box.hidden && all.length > 0) choose((active + (event.key === 'ArrowDown' ? 1 : active < 0 ? 0 : -1) + all.length) % all.length);
    else if (event.key === 'Enter' && active >= 0) all[active].click();
    else return;
    event.preventDefault();
  });
  form.addEventListener('focusout', (event) => { if (!form.contains(event.relatedTarget)) open(false); });
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest?.('input:not([type="checkbox"], [type="radio"]), select, textarea, dialog');
    if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    event.preventDefault();
    if (form.checkVisibility()) {
      field.focus();
      field.select();
    } else {
      location.assign(form.action);
    }
  });
}
