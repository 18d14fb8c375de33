// The JSON API of the team whose page this is. Answers the parsed body; what is refused throws Refusal, whose message is for people.
import { csrf, team } from './page.js';

export class Refusal extends Error {
  constructor(status, message, type) {
    super(message);
    this.status = status;
    this.type = type;
  }
}

export async function api(method, path, body, { signal, headers = {} } = {}) {
  let answer;
  try {
    answer = await fetch(`/api/v1/teams/${team()}${path}`, {
      method,
      signal,
      headers: { Accept: 'application/json', RequestVerificationToken: csrf(), ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refusal(0, 'There is no connection to the appliance. Nothing was changed; try again once it is back.');
  }
  if (answer.status === 204) return null;
  const content = await answer.json().catch(() => null);
  if (answer.ok && !answer.redirected) return content;
  throw refusal(answer, content);
}

function refusal(answer, problem) {
  if (answer.redirected || answer.status === 401) return new Refusal(401, 'You are signed out. Sign in and try again; nothing was changed.');
  const said = typeof problem?.detail === 'string' && problem.detail !== '' ? problem.detail : null;
  return new Refusal(answer.status, said ?? `The appliance could not do it (${answer.status}). Nothing was changed; try again.`, problem?.type ?? '');
}

// Many at once, in portions that the API takes; each portion is done whole or not at all.
const PORTION = 1000;
export async function inPortions(references, send) {
  const entries = [];
  for (let at = 0; at < references.length; at += PORTION) entries.push(...(await send(references.slice(at, at + PORTION))).entries);
  return entries;
}
