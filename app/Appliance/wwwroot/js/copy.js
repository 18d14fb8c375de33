// <button data-copy="text"> or <button data-copy-from="element-id"> (its list items, or its text). Hidden until script runs: add the hidden attribute.
import { toast } from './toast.js';

function textOf(button) {
  if (button.dataset.copy !== undefined) return button.dataset.copy;
  const source = document.getElementById(button.dataset.copyFrom);
  const lines = [...source.querySelectorAll('li')];
  return lines.length > 0 ? lines.map((line) => line.textContent.trim()).join('\n') : source.textContent.trim();
}

for (const button of document.querySelectorAll('[data-copy], [data-copy-from]')) button.hidden = false;

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy], [data-copy-from]');
  if (!button) return;
  try {
    await navigator.clipboard.writeText(textOf(button));
    toast(button.dataset.copied ?? 'Copied');
  } catch {
    toast('The browser did not allow copying. Select the text and copy it by hand.', { kind: 'danger' });
  }
});
