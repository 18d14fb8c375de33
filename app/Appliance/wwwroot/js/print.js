// <button data-print hidden>: prints the page; the print sheet decides what of it.
for (const button of document.querySelectorAll('[data-print]')) {
  button.hidden = false;
  button.addEventListener('click', () => print());
}
