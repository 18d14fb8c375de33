// Short news at the bottom of the page, read out politely. Markup: <div class="toasts" data-toasts role="status"></div> in the layout.
// toast('Folder moved to trash', { action: { label: 'Undo', run } }) · kinds: 'info' (default) and 'danger'.
// A toast with an action stays until it is used or closed: undoing must not be a race.
const LIFE_MS = 6000;

function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  svg.classList.add('icon');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `/icons.svg#i-${name}`);
  svg.append(use);
  return svg;
}

function button(className, label, run) {
  const element = document.createElement('button');
  element.type = 'button';
  element.className = className;
  element.addEventListener('click', run);
  element.append(label);
  return element;
}

export function toast(text, { kind = 'info', action } = {}) {
  const box = document.querySelector('[data-toasts]');
  if (!box) return;
  const item = document.createElement('div');
  const message = document.createElement('span');
  item.className = `toast toast-${kind}`;
  message.textContent = text;
  item.append(message);
  if (action) {
    item.append(button('btn btn-small', action.label, () => {
      item.remove();
      action.run();
    }));
  }
  const dismiss = button('btn btn-quiet btn-icon btn-small', icon('x'), () => item.remove());
  dismiss.setAttribute('aria-label', 'Dismiss');
  item.append(dismiss);
  box.append(item);
  if (!action && kind !== 'danger') expire(item);
}

function expire(item) {
  let timer;
  const start = () => { timer = setTimeout(() => item.remove(), LIFE_MS); };
  const stop = () => clearTimeout(timer);
  item.addEventListener('pointerenter', stop);
  item.addEventListener('pointerleave', start);
  item.addEventListener('focusin', stop);
  item.addEventListener('focusout', start);
  start();
}
