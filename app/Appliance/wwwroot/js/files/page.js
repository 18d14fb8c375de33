// Which files page this is, and going from one to the next without losing uploads that run.
// A page's content is in <main>; modules that bind something to it register with onPage(). Everything else listens on document.
// Uploads live in this document: while some run, links inside the team's files are followed by fetching the page and putting its <main> in
// place of ours. Without uploads the browser navigates as always. The page is parsed by XMLHttpRequest, whose documents run no script.
import { folder as comingFolder, waiting } from './skeleton.js';

const setups = [];
let busy = () => false;

export const root = () => document.querySelector('[data-files]');
export const team = () => document.querySelector('[data-team]')?.dataset.team ?? null;
export const folder = () => root()?.dataset.folder || null;
export const csrf = () => document.querySelector('meta[name="csrf"]').content;
export const icons = () => document.querySelector('.sidenav .logo use').getAttribute('href').split('#')[0];
export const folderAddress = (reference) => `/teams/${team()}/files${reference ? `/${reference}` : ''}`;

export function onPage(setup) {
  setups.push(setup);
  queueMicrotask(() => setup(document.querySelector('main'))); // once every module is there
}

export function staysWhile(isBusy) {
  busy = isBusy;
}

export function fetchPage(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('GET', address);
    request.responseType = 'document';
    request.onload = () => (request.response ? resolve({ page: request.response, address: request.responseURL, status: request.status }) : reject(new Error('no page')));
    request.onerror = () => reject(new Error('no connection'));
    request.send();
  });
}

const isOurs = (url) => url.origin === location.origin && new RegExp(`^/teams/${team()}/(files(/[^/]+)?|trash|search)$`).test(url.pathname);

export async function go(address, { push = true } = {}) {
  if (!busy()) {
    location.assign(address);
    return;
  }
  const done = root() ? waiting(document.querySelector('main'), () => comingFolder(root())) : () => {};
  try {
    const { page, address: arrived } = await fetchPage(address);
    done();
    const next = page.querySelector('main');
    if (!next || !isOurs(new URL(arrived))) throw new Error('another page');
    if (push) history.pushState(null, '', arrived);
    put(page, next);
  } catch {
    location.assign(address); // the browser says what is wrong; it asks first, as uploads run
  }
}

function put(page, next) {
  document.title = page.title;
  document.querySelector('main').replaceWith(document.adoptNode(next));
  for (const part of ['.breadcrumbs', '.sidenav .nav-list']) {
    const fresh = page.querySelector(part);
    if (fresh) document.querySelector(part)?.replaceWith(document.adoptNode(fresh));
  }
  for (const setup of setups) setup(next);
  scrollTo(0, 0);
  next.focus({ preventScroll: true });
}

document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[href]');
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (event.defaultPrevented || !plain || !busy() || !link || link.target || link.hasAttribute('download') || !isOurs(new URL(link.href))) return;
  event.preventDefault();
  go(link.href);
});

// "Back" within one document: the panel (panel.js says so by its state) or a page that was put in place.
addEventListener('popstate', () => {
  const url = new URL(location.href);
  if (isOurs(url) && !(root()?.dataset.here && new URL(root().dataset.here, location.href).pathname === url.pathname)) {
    if (busy()) go(location.href, { push: false });
    else location.reload();
  }
});
