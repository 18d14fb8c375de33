// One file by its own address, several or a folder as one ZIP: a form, so that the browser streams it to the disk and shows it among its downloads.
import { csrf, folderAddress, team } from './page.js';

export function download(rows) {
  if (rows.length === 1 && rows[0].dataset.kind === 'file') {
    location.assign(`${folderAddress(rows[0].dataset.entry)}/content`);
    return;
  }
  sendForm(`/api/v1/teams/${team()}/archive`, [['RequestVerificationToken', csrf()], ...rows.map((row) => ['entry', row.dataset.entry])]);
}

function sendForm(address, fields) {
  const form = document.createElement('form');
  form.method = 'post';
  form.action = address;
  form.hidden = true;
  for (const [name, value] of fields) {
    const input = document.createElement('input');
    input.type = 'hidden';
    [input.name, input.value] = [name, value];
    form.append(input);
  }
  document.body.append(form);
  form.submit();
  form.remove();
}
