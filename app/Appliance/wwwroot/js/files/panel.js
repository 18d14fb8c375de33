// The side panel: what is rendered by the entry's own page (…/details), shown beside the list under an address of its own (?panel=…).
import { announce } from './announce.js';
import { fetchPage, onPage, root, team } from './page.js';
import { all, find, panelAddress } from './rows.js';
import { focus } from './select.js';
import { showPreview } from './preview.js';
import { panel as comingPanel, waiting } from './skeleton.js';
import { refresh as refreshTimes } from '../time.js';
import { toast } from '../toast.js';

const panel = () => document.querySelector('main [data-panel]');
export const panelEntry = () => panel()?.dataset.panel ?? null;
export const panelIsOpen = () => root() !== null && panel() !== null;
let latest = 0;
let stopWaiting = () => {}; // for the one that was asked for before

onPage(() => {
  if (panel()) ready(panel());
});

export async function showPanel(reference, { push = true, version = null } = {}) {
  const turn = ++latest;
  const open = panel();
  stopWaiting();
  const done = waiting(root(), () => comingPanel(root(), open));
  stopWaiting = done;
  try {
    const { page } = await fetchPage(`/teams/${team()}/files/${reference}/details${version ? `?version=${version}` : ''}`);
    if (turn !== latest) return; // another one was asked for meanwhile
    const fresh = page.querySelector('[data-panel]');
    if (!fresh) throw new Error('It is not there any more.');
    done();
    put(document.adoptNode(fresh), push);
    if (push) {
      const address = new URL(panelAddress(reference), location.href);
      if (version) address.searchParams.set('version', version);
      history.pushState(null, '', address);
    }
    announce(`Details of ${find(reference)?.dataset.name ?? 'the file'}`);
  } catch (error) {
    if (turn === latest) toast(error.message === 'no connection' ? 'There is no connection to the appliance.' : 'It is not there any more.', { kind: 'danger' });
  } finally {
    if (turn === latest) done();
  }
}

function put(fresh, takesFocus) {
  const old = panel();
  old?.querySelectorAll('audio, video').forEach((player) => player.pause());
  if (old) old.replaceWith(fresh);
  else document.querySelector('main').querySelector('[data-files]').after(fresh);
  document.querySelector('main').classList.add('with-panel');
  ready(fresh);
  if (takesFocus) {
    fresh.querySelector('h2').focus({ preventScroll: true });
    if (matchMedia('(max-width: 60rem)').matches) scrollTo(0, 0);
  }
}

function ready(fresh) {
  refreshTimes(fresh);
  for (const row of all()) {
    if (row.dataset.entry === fresh.dataset.panel) row.setAttribute('aria-current', 'true');
    else row.removeAttribute('aria-current');
  }
  showPreview(fresh);
}

export function closePanel({ push = true } = {}) {
  const open = panel();
  if (!open || !root()) return;
  const row = find(open.dataset.panel);
  const hadFocus = open.contains(document.activeElement) || document.activeElement === document.body;
  latest += 1;
  stopWaiting();
  open.remove();
  document.querySelector('main').classList.remove('with-panel');
  row?.removeAttribute('aria-current');
  if (push) history.pushState(null, '', root().dataset.here);
  if (hadFocus) focus(row);
}

document.addEventListener('click', (event) => {
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  const link = event.target.closest('a[href]');
  if (!plain || !link || event.defaultPrevented || !root()) return;
  const row = link.matches('.file-name') ? link.closest('tr[data-kind="file"]') : null;
  if (row) {
    event.preventDefault();
    showPanel(row.dataset.entry);
  } else if (link.matches('[data-panel-close]')) {
    event.preventDefault();
    closePanel();
  } else if (link.matches('[data-show-version]')) {
    event.preventDefault();
    showPanel(panelEntry(), { version: link.dataset.showVersion });
  }
});

addEventListener('popstate', () => {
  if (!root() || new URL(root().dataset.here, location.href).pathname !== location.pathname) return; // page.js sees to it
  const query = new URLSearchParams(location.search);
  if (query.get('panel')) showPanel(query.get('panel'), { push: false, version: query.get('version') });
  else closePanel({ push: false });
});
