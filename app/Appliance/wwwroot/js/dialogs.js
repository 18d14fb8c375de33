// <a href="/page/that/does/the/same" data-dialog="dialog-id"> or <button data-dialog="…"> opens a <dialog>; [data-close] inside closes it.
// Without script the link leads to the page. A dialog rendered with data-open (its form came back with errors) opens at once.
// Escape and giving the focus back are the browser's own; closedby="any" on the dialog lets a click outside close it.
for (const dialog of document.querySelectorAll('dialog[data-open]')) dialog.showModal();

document.addEventListener('click', (event) => {
  const opener = event.target.closest('[data-dialog]');
  const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (opener && plain) {
    const dialog = document.getElementById(opener.dataset.dialog);
    if (!(dialog instanceof HTMLDialogElement)) return;
    event.preventDefault();
    if (!dialog.open) dialog.showModal();
    return;
  }
  event.target.closest('dialog [data-close]')?.closest('dialog').close();
});
