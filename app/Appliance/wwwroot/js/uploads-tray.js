// The upload tray: one row for each file, made of elements and text only (Trusted Types). Its look is in css/files.css.
import { duration, size } from './uploads-text.js';

const ACTIONS = {
  queued: [['cancel', 'Cancel', 'x']],
  uploading: [['pause', 'Pause', 'pause'], ['cancel', 'Cancel', 'x']],
  paused: [['resume', 'Resume', 'play'], ['cancel', 'Cancel', 'x']],
  failed: [['resume', 'Retry', 'retry'], ['cancel', 'Cancel', 'x']],
  done: [],
};

export class Tray {
  #icons;
  #run;
  #rows = new Map();
  #tray;
  #list;
  #title = element('strong');
  #rate = element('span', 'tray-meta');

  constructor(icons, run) {
    this.#icons = icons;
    this.#run = run;
  }

  add(item) {
    this.#tray ?? this.#build();
    const row = element('li', 'tray-item');
    const parts = { row, icon: this.#icon('file'), bar: element('progress'), meta: element('p', 'tray-meta'), actions: element('div', 'tray-actions') };
    const name = element('span', 'file-name', element('bdi', 'file-stem', item.file.name));
    name.title = item.file.name;
    parts.bar.max = Math.max(1, item.file.size);
    parts.bar.setAttribute('aria-label', item.file.name);
    row.append(parts.icon, element('div', '', name, parts.bar, parts.meta), parts.actions);
    this.#rows.set(item, parts);
    this.#list.append(row);
    this.show(item);
  }

  show(item) {
    const parts = this.#rows.get(item);
    if (!parts) return;
    if (parts.row.dataset.state !== item.state) {
      parts.row.dataset.state = item.state;
      parts.bar.hidden = item.state === 'queued' || item.state === 'done';
      this.#replaceActions(item, parts);
      if (item.state === 'done') parts.icon.replaceWith(parts.icon = this.#icon('check'));
    }
    parts.bar.value = item.file.size === 0 ? 1 : item.sent;
    parts.meta.textContent = describe(item);
  }

  remove(item) {
    this.#rows.get(item)?.row.remove();
    this.#rows.delete(item);
    if (this.#rows.size === 0) {
      this.#tray?.remove();
      this.#tray = undefined;
    }
  }

  summarise(items) {
    const done = items.filter((item) => item.state === 'done').length;
    const active = items.filter((item) => item.state === 'uploading');
    const speed = active.reduce((sum, item) => sum + (item.speed ?? 0), 0);
    const left = items.filter((item) => item.state === 'uploading' || item.state === 'queued').reduce((sum, item) => sum + item.file.size - item.sent, 0);
    const title = active.length > 0 ? `Uploading ${done + 1} of ${items.length}` : `${done} of ${items.length} uploaded`;
    if (this.#title.textContent !== title) this.#title.textContent = title;
    this.#rate.textContent = speed > 0 ? `${size(speed)}/s · ${duration(left / speed)} left` : '';
  }

  #build() {
    this.#list = element('ul', 'tray-list');
    this.#list.tabIndex = 0;
    this.#list.setAttribute('aria-label', 'Uploads in this browser');
    const status = element('div', '', this.#title, this.#rate);
    this.#title.setAttribute('role', 'status');
    const details = element('details', '', element('summary', 'tray-head', status, this.#icon('chevron-down')), this.#list);
    details.open = true;
    this.#tray = element('aside', 'tray', details);
    this.#tray.setAttribute('aria-label', 'Uploads');
    document.body.append(this.#tray);
  }

  #replaceActions(item, parts) {
    const hadFocus = parts.actions.contains(document.activeElement);
    parts.actions.replaceChildren(...ACTIONS[item.state].map(([action, label, icon]) => {
      const button = element('button', 'btn btn-quiet btn-icon btn-small', this.#icon(icon));
      button.type = 'button';
      button.title = label;
      button.setAttribute('aria-label', `${label} ${item.file.name}`);
      button.addEventListener('click', () => this.#run[action](item));
      return button;
    }));
    if (hadFocus) parts.actions.querySelector('button')?.focus();
  }

  #icon(name) {
    const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
    svg.classList.add('icon');
    svg.setAttribute('aria-hidden', 'true');
    use.setAttribute('href', `${this.#icons}#i-${name}`);
    svg.append(use);
    return svg;
  }
}

function describe(item) {
  const total = size(item.file.size);
  switch (item.state) {
    case 'queued': return 'Waiting';
    case 'paused': return `Paused at ${size(item.sent)} of ${total}`;
    case 'failed': return item.error;
    case 'done': return `${total} · stored`;
    default: {
      const rate = item.speed > 0 ? ` · ${size(item.speed)}/s · ${duration((item.file.size - item.sent) / item.speed)} left` : '';
      return `${size(item.sent)} of ${total}${rate}`;
    }
  }
}

function element(name, className = '', ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}
