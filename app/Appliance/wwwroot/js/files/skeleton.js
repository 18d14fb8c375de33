// What stands where something is being fetched, once that takes long enough to be noticed: grey shapes of the same size, so that nothing moves when the
// content comes. Whoever waits is told by aria-busy at once; the shapes themselves are for eyes alone. They pulse only where motion is welcome (CSS).
import { element } from './dom.js';

const AFTER_MS = 150;

// Until the answer is called: place is busy. show() puts something there and answers { remove() }.
export function waiting(place, show) {
  place.setAttribute('aria-busy', 'true');
  let shown = null;
  const timer = setTimeout(() => { shown = show(); }, AFTER_MS);
  return () => {
    clearTimeout(timer);
    shown?.remove();
    place.removeAttribute('aria-busy');
  };
}

function shape(className, bars) {
  const made = element('div', `skeleton ${className}`, ...Array.from({ length: bars }, () => element('span', 'skeleton-bar')));
  made.setAttribute('aria-hidden', 'true');
  return made;
}

// Rows that are on their way, at the end of the list.
export function rows(list, number = 8) {
  const made = element('div', 'skeleton-rows', ...Array.from({ length: number }, () => shape('skeleton-row', 2)));
  list.querySelector('[data-list]').append(made);
  return made;
}

// A folder that is on its way: in place of the list.
export function folder(list) {
  const table = list.querySelector('[data-list] > table');
  const made = rows(list, 10);
  list.querySelector('[data-list]').hidden = false;
  table.hidden = true;
  return {
    remove() {
      made.remove();
      table.hidden = false;
    },
  };
}

// The panel, where it will stand; one that is open steps aside meanwhile.
export function panel(list, open) {
  const made = element('section', 'panel panel-waiting', shape('skeleton-head', 1), shape('skeleton-preview', 1), shape('skeleton-lines', 6));
  const main = list.closest('main');
  list.after(made);
  main.classList.add('with-panel');
  if (open) open.hidden = true;
  return {
    remove() {
      made.remove();
      if (open) open.hidden = false;
      main.classList.toggle('with-panel', main.querySelector('[data-panel]') !== null);
    },
  };
}

export function picture(place) {
  const made = shape('skeleton-picture', 1);
  place.replaceChildren(made);
  return made;
}
