// What went wrong with an upload, in words: what happened, what is kept, what to do.
import { size } from './text.js';

export function sentence(error, sent) {
  const response = error.originalResponse;
  if (!response) return `The connection broke. ${kept(sent)}`;
  const said = detail(response);
  switch (response.getStatus()) {
    case 401:
    case 403:
      return `You are signed out. Sign in, then choose the file again. ${kept(sent)}`;
    case 404:
      return 'This folder is not there any more, or you are no longer in the team.';
    case 429:
    case 503:
      return `The appliance does not answer right now. ${kept(sent)}`;
    default:
      return said ?? `The appliance could not take it (${response.getStatus()}). ${kept(sent)}`;
  }
}

const kept = (sent) => (sent > 0 ? `${size(sent)} are kept; retry goes on from there.` : 'Retry to start again.');

// RFC 9457 problem details; the text is ours, and shown as text.
function detail(response) {
  try {
    const { detail: text } = JSON.parse(response.getBody());
    return typeof text === 'string' && text !== '' ? text : null;
  } catch {
    return null;
  }
}
