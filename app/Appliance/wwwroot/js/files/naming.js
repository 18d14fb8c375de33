// New folders and new names: one dialog, which stays with what was typed until the server takes it.
import { announce } from './announce.js';
import { added, attempt } from './actions.js';
import { api } from './api.js';
import { ask } from './dom.js';
import { folder } from './page.js';
import { panelEntry, showPanel } from './panel.js';
import { find } from './rows.js';
import { focus } from './select.js';
import { split } from './names.js';
import { toast } from '../toast.js';

async function askName(title, verb, value, selection, send) {
  const dialog = document.getElementById('name-dialog');
  const field = dialog.querySelector('#name-field');
  const problem = dialog.querySelector('#name-error');
  dialog.querySelector('h2').textContent = title;
  dialog.querySelector('[data-submit]').textContent = verb;
  field.value = value;
  tellProblem('');
  for (;;) {
    const answered = ask(dialog);
    field.focus();
    field.setSelectionRange(...selection);
    if (!(await answered)) return null;
    try {
      return await send(field.value);
    } catch (error) {
      tellProblem(error.message);
      selection = [0, field.value.length];
    }
  }
  function tellProblem(text) {
    problem.textContent = text;
    if (text) field.setAttribute('aria-invalid', 'true');
    else field.removeAttribute('aria-invalid');
  }
}

export async function newFolder() {
  const entry = await askName('New folder', 'Create folder', '', [0, 0], (name) => api('POST', '/folders', { name, folder: folder(), existing: 'refuse' }));
  if (!entry) return;
  focus(added([entry])[0]);
  toast(`Folder “${entry.name}” made.`);
}

export async function rename(row) {
  if (!row) return;
  const [{ entry: reference, kind, name: before }] = [row.dataset];
  const entry = await askName(`Rename ${kind}`, 'Rename', before, [0, split(before, kind)[0].length], (name) => api('PATCH', `/entries/${reference}`, { name }));
  if (!entry) return focus(find(reference));
  focus(added([entry])[0]);
  if (panelEntry() === reference) showPanel(reference, { push: false });
  if (entry.name !== before) toast(`“${before}” is now “${entry.name}”.`, { action: { label: 'Undo', run: () => undoRename(reference, before) } });
}

const undoRename = (reference, name) => attempt(async () => {
  added([await api('PATCH', `/entries/${reference}`, { name })]);
  announce(`Renamed back to ${name}`);
});
