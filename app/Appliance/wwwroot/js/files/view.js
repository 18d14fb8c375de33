// List or tiles: what this browser was told last. It stands on <html> before the first paint (the module is loaded in <head> with
// blocking="render"), so that nothing jumps. Without script it is the list.
const KEY = 'files-view';

function stored() {
  try {
    return localStorage.getItem(KEY) === 'tiles' ? 'tiles' : 'list';
  } catch {
    return 'list'; // storage is switched off
  }
}

function apply(view) {
  document.documentElement.dataset.filesView = view;
  document.dispatchEvent(new CustomEvent('files:view'));
}

export const isTiles = () => document.documentElement.dataset.filesView === 'tiles';

export function setView(view) {
  try {
    localStorage.setItem(KEY, view);
  } catch {
    // it holds for this page only
  }
  apply(view);
}

apply(stored());

// another tab changed it
addEventListener('storage', (event) => {
  if (event.key === KEY) apply(stored());
});
