// Shows a PDF within a page: mount(container, url, size, { name, onState }) → { destroy() }.
//   url   the file's preview or content on this origin; size in bytes; name for the accessible label.
//   onState({ state, page?, pages? }): 'loading', 'shown', 'too-large', 'password', 'broken', 'unreachable'. In the last four the container is left
//   empty, and the caller offers the download.
// The PDF is drawn by a frame of an opaque origin (/pdf-viewer), which is given the bytes and can reach nothing.
export const MOST_BYTES = 64 << 20;

export function mount(container, url, size, { name = '', onState = () => {} } = {}) {
  const ended = new AbortController();
  if (size > MOST_BYTES) {
    onState({ state: 'too-large' });
    return { destroy() {} };
  }
  const frame = document.createElement('iframe');
  frame.className = 'pdf-frame';
  frame.title = name ? `Preview of ${name}` : 'Preview';
  frame.setAttribute('sandbox', 'allow-scripts');
  frame.referrerPolicy = 'no-referrer';
  frame.src = '/pdf-viewer';

  const over = (state) => {
    ended.abort();
    frame.remove();
    if (state) onState({ state });
  };
  addEventListener('message', async (event) => {
    if (event.source !== frame.contentWindow || event.origin !== 'null') return; // anybody can send a message
    const { type, page, pages, reason } = Object(event.data);
    if (type === 'ready') {
      try {
        const bytes = await read(url, ended.signal);
        frame.contentWindow?.postMessage({ type: 'open', bytes }, '*', [bytes]); // an opaque origin has no name to send it to
      } catch (error) {
        if (error.name !== 'AbortError') over('unreachable');
      }
    } else if (type === 'shown' && Number.isInteger(page) && Number.isInteger(pages)) {
      onState({ state: 'shown', page, pages });
    } else if (type === 'failed') {
      over(reason === 'password' ? 'password' : 'broken');
    }
  }, { signal: ended.signal });

  onState({ state: 'loading' });
  container.replaceChildren(frame);
  return { destroy: () => over() };
}

async function read(url, signal) {
  const answer = await fetch(url, { signal, credentials: 'same-origin' });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.arrayBuffer();
}
