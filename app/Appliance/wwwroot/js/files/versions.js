// Earlier versions in the panel: its forms work without script; with it, they change the list beside them too.
// <form data-version="3" data-version-act="restore|delete">
import { added, attempt } from './actions.js';
import { api } from './api.js';
import { confirmed } from './dom.js';
import { root } from './page.js';
import { showPanel } from './panel.js';
import { toast } from '../toast.js';

document.addEventListener('submit', async (event) => {
  const form = event.target.closest('[data-version-act]');
  if (!form || !root()) return;
  event.preventDefault();
  const { version, versionAct: act } = form.dataset;
  const reference = form.closest('[data-panel]').dataset.panel;
  if (act === 'delete' && !(await confirmed(`Delete version ${version}`, `Version ${version} is deleted for good. The other versions stay.`, 'Delete version'))) return;
  await attempt(async () => {
    if (act === 'restore') {
      added([await api('POST', `/entries/${reference}/versions/${version}/restore`)]);
      toast(`Version ${version} is the current one again. What was there before stays as an earlier version.`);
    } else {
      await api('DELETE', `/entries/${reference}/versions/${version}`);
      toast(`Version ${version} deleted.`);
    }
    await showPanel(reference, { push: false });
  });
});
