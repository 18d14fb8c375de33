// News for screen readers, without moving the focus: <p role="status" data-announce>. What everybody should see is a toast (toast.js), which is read too.
let timer;

export function announce(text) {
  const place = document.querySelector('[data-announce]');
  if (!place) return;
  place.textContent = '';
  clearTimeout(timer);
  timer = setTimeout(() => { place.textContent = text; }, 60); // emptied first, so that the same words twice are read twice
}

export const count = (number, one, many = `${one}s`) => (number === 1 ? `1 ${one}` : `${number.toLocaleString('en')} ${many}`);
