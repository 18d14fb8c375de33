// The upload tray: one row for each file, and one for all. It lives beside <main>, so that it stays while pages come and go. Look: css/uploads.css.
import { element, icon } from '../files/dom.js';
import { duration, size } from './text.js';

const ACTIONS = {
  queued: [['cancel', 'Cancel', 'x']],
  uploading: [['pause', 'Pause', 'pause'], ['cancel', 'Cancel', 'x']],
  waiting: [['cancel', 'Cancel', 'x']],
  paused: [['resume', 'Resume', 'play'], ['cancel', 'Cancel', 'x']],
  failed: [['resume', 'Retry', 'retry'], ['cancel', 'Remove', 'x']],
  done: [],
};

export class Tray {
  #run;
  #rows = new Map();
  #tray;
  #list;
  #title = element('strong');
  #rate = element('span', 'tray-meta');
  #total = element('progress');
  #bar = element('div', 'tray-bar');
  #barState = '';

  constructor(run) {
    this.#run = run;
  }

  add(item) {
    this.#tray ?? this.#build();
    const row = element('li', 'tray-item');
    const parts = { row, icon: icon('file'), bar: element('progress'), meta: element('p', 'tray-meta'), actions: element('div', 'tray-actions') };
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
      const picture = icon({ done: 'check', failed: 'warning' }[item.state] ?? 'file');
      parts.icon.replaceWith(picture);
      parts.icon = picture;
    }
    parts.bar.value = item.file.size === 0 ? 1 : item.sent;
    parts.meta.textContent = describe(item);
  }

  remove(item) {
    this.#rows.get(item)?.row.remove();
    this.#rows.delete(item);
    if (this.#rows.size > 0) return;
    const hadFocus = this.#tray?.contains(document.activeElement);
    this.#tray?.remove();
    this.#tray = undefined;
    if (hadFocus) document.getElementById('content').focus();
  }

  summarise(items) {
    const count = (state) => items.filter((item) => item.state === state).length;
    const [done, active, failed, paused, waiting] = ['done', 'uploading', 'failed', 'paused', 'waiting'].map(count);
    const going = active + count('queued');
    const speed = items.reduce((sum, item) => sum + (item.state === 'uploading' ? item.speed : 0), 0);
    const total = items.reduce((sum, item) => sum + item.file.size, 0);
    const sent = items.reduce((sum, item) => sum + item.sent, 0);
    const title = waiting > 0 ? 'Waiting for the connection' : going > 0 ? `Uploading ${done + 1} of ${items.length}`
      : failed > 0 ? `${done} of ${items.length} uploaded, ${failed} failed` : paused > 0 ? `Paused, ${done} of ${items.length} uploaded` : `${done} of ${items.length} uploaded`;
    if (this.#title.textContent !== title) this.#title.textContent = title;
    this.#rate.textContent = going > 0 && speed > 0 ? `${size(sent)} of ${size(total)} · ${size(speed)}/s · ${duration((total - sent) / speed)} left` : `${size(sent)} of ${size(total)}`;
    this.#total.max = Math.max(1, total);
    this.#total.value = total === 0 ? 1 : sent;
    this.#total.hidden = going + waiting + paused === 0;
    this.#offer([
      going > 0 && ['pauseAll', 'Pause all'], going === 0 && paused > 0 && ['resumeAll', 'Resume all'], failed > 0 && going + paused === 0 && ['resumeAll', 'Retry failed'],
      going + paused + waiting > 0 ? ['cancelAll', 'Cancel all'] : ['close', 'Close'],
    ].filter(Boolean));
  }

  #offer(actions) {
    const state = actions.join();
    if (state === this.#barState && this.#bar.isConnected) return;
    this.#barState = state;
    const hadFocus = this.#bar.contains(document.activeElement);
    this.#bar.replaceChildren(...actions.map(([action, text]) => this.#button('btn btn-quiet btn-small', text, () => this.#run[action]())));
    if (hadFocus) this.#bar.querySelector('button')?.focus();
  }

  #build() {
    this.#list = element('ul', 'tray-list');
    this.#list.tabIndex = 0;
    this.#list.setAttribute('aria-label', 'Uploads in this window');
    this.#title.setAttribute('role', 'status');
    this.#total.setAttribute('aria-label', 'All uploads');
    const details = element('details', '', element('summary', 'tray-head', element('div', '', this.#title, this.#rate), icon('chevron-down')), this.#total, this.#bar, this.#list);
    details.open = true;
    this.#tray = element('aside', 'tray', details);
    this.#tray.setAttribute('aria-label', 'Uploads');
    document.body.append(this.#tray);
  }

  #button(look, text, run) {
    const made = element('button', look, text);
    made.type = 'button';
    made.addEventListener('click', run);
    return made;
  }

  #replaceActions(item, parts) {
    const hadFocus = parts.actions.contains(document.activeElement);
    parts.actions.replaceChildren(...ACTIONS[item.state].map(([action, label, picture]) => {
      const made = this.#button('btn btn-quiet btn-icon btn-small', icon(picture), () => this.#run[action](item));
      made.title = label;
      made.setAttribute('aria-label', `${label} ${item.file.name}`);
      return made;
    }));
    if (hadFocus) parts.actions.querySelector('button')?.focus();
  }
}

function describe(item) {
  const total = size(item.file.size);
  switch (item.state) {
    case 'queued': return item.sent > 0 ? `Waiting, ${size(item.sent)} of ${total} are there` : `Waiting · ${total}`;
    case 'waiting': return `No connection · ${size(item.sent)} of ${total} are kept`;
    case 'paused': return `Paused at ${size(item.sent)} of ${total}`;
    case 'failed': return item.error;
    case 'done': return `${total} · stored${item.resumed ? ', resumed where it had stopped' : ''}`;
    default: {
      const rate = item.speed > 0 ? ` · ${size(item.speed)}/s · ${duration((item.file.size - item.sent) / item.speed)} left` : '';
      return `${item.resumed ? 'Resumed · ' : ''}${size(item.sent)} of ${total}${rate}`;
    }
  }
}
