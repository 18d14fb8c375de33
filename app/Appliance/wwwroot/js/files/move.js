// The dialog that asks where to: folders to walk into, the way back, "Move here". Answers { reference, name }, or null.
import { api } from './api.js';
import { ask, button, element, icon } from './dom.js';

const PAGE = 1000;

export async function chooseFolder(title, moving, from) {
  const dialog = document.getElementById('move-dialog');
  dialog.querySelector('h2').textContent = title;
  let here = null;
  const walk = async (reference) => {
    here = await show(dialog, reference, moving, walk);
    dialog.querySelector('[data-submit]').disabled = here === null || here.reference === from;
  };
  const answered = ask(dialog);
  await walk(from);
  return (await answered) ? here : null;
}

async function show(dialog, reference, moving, walk) {
  const [list, path, problem] = ['[data-move-list]', '[data-move-path]', '[data-move-error]'].map((part) => dialog.querySelector(part));
  const hadFocus = list.contains(document.activeElement) || path.contains(document.activeElement) || document.activeElement === document.body;
  list.setAttribute('aria-busy', 'true');
  problem.textContent = '';
  try {
    const { way, folders } = await read(reference);
    path.replaceChildren(...[{ reference: null, name: 'Files' }, ...way].map((step, at, all) =>
      element('li', '', at === all.length - 1 ? current(step) : button('btn-link', step.name, () => walk(step.reference)))));
    list.replaceChildren(...folders.map((entry) => {
      const open = button('move-folder', icon('folder'), () => walk(entry.reference));
      open.append(element('bdi', '', entry.name));
      open.disabled = moving.includes(entry.reference); // a folder cannot be in itself
      return element('li', '', open);
    }));
    if (folders.length === 0) list.append(element('li', 'muted', 'No folders in here.'));
    if (hadFocus) (list.querySelector('button:enabled') ?? path.querySelector('button') ?? dialog.querySelector('[data-close]')).focus();
    return way.at(-1) ?? { reference: null, name: 'Files' };
  } catch (error) {
    problem.textContent = error.message;
    return null;
  } finally {
    list.removeAttribute('aria-busy');
  }
}

function current(step) {
  const name = element('bdi', '', step.name);
  name.setAttribute('aria-current', 'location');
  return name;
}

// Folders come first in every listing, so it is read until the first file.
async function read(reference) {
  const folders = [];
  let [after, way] = [null, []];
  do {
    const query = new URLSearchParams({ limit: PAGE, ...(reference ? { folder: reference } : {}), ...(after ? { after } : {}) });
    const page = await api('GET', `/entries?${query}`);
    way = page.path;
    folders.push(...page.entries.filter((entry) => entry.kind === 'folder'));
    after = page.entries.at(-1)?.kind === 'folder' ? page.next : null;
  } while (after);
  return { way, folders };
}
