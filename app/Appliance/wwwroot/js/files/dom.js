// Elements and text, never markup (Trusted Types).
import { icons } from './page.js';

export function element(name, className = '', ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  svg.classList.add('icon');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `${icons()}#i-${name}`);
  svg.append(use);
  return svg;
}

export function button(className, label, run) {
  const made = element('button', className);
  made.type = 'button';
  made.append(label);
  if (run) made.addEventListener('click', run);
  return made;
}

// Shows a dialog with a form in it and answers what ends it: true for its submit button, false for anything else.
export function ask(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = '';
    const submit = (event) => {
      event.preventDefault();
      dialog.close('yes');
    };
    dialog.addEventListener('submit', submit);
    dialog.addEventListener('close', () => {
      dialog.removeEventListener('submit', submit);
      resolve(dialog.returnValue === 'yes');
    }, { once: true });
    dialog.showModal();
  });
}

// Asks before what cannot be undone.
export function confirmed(title, text, verb) {
  const dialog = document.getElementById('confirm-dialog');
  dialog.querySelector('h2').textContent = title;
  dialog.querySelector('#confirm-text').textContent = text;
  dialog.querySelector('[data-submit]').textContent = verb;
  return ask(dialog);
}
