// One question to `POST /v1/check`, and its answer.
'use strict';

const { setTimeout: sleep } = require('node:timers/promises');

const { isKey } = require('./settings.js');

const ATTEMPTS = 3;
const LONGEST_ANSWER = 1 << 20;
const FIELDS = ['status', 'verdict', 'probability', 'error'];

// The reason for a missing probability. Its message contains no text, no key and no address.
class SignalError extends Error {
  constructor(reason, { permanent, pause }) {
    super(`magistrate: ${reason}`);
    // The names under which Coop's own signals report errors that another attempt cannot change.
    this.name = permanent ? 'SignalPermanentError' : 'SignalTransientError';
    this.permanent = permanent;
    this.pause = pause;
  }
}

const permanent = (reason) => new SignalError(reason, { permanent: true, pause: null });
const transient = (reason, pause = null) => new SignalError(reason, { permanent: false, pause });

// Returns P(violation) of the text. Throws a `SignalError` wherever the server gave none.
async function probability({ url, key, policy, text, effort, timeout }) {
  if (!url) throw permanent('the address of the server is not set');
  if (typeof text !== 'string') throw permanent('the input is not a text');
  if (key && !isKey(key)) throw permanent('the key has a character that no key has');
  const deadline = Date.now() + timeout;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask({ url, key, policy, text: wellFormed(text), effort }, deadline);
    } catch (error) {
      const pause = error instanceof SignalError ? error.pause : null;
      if (pause === null || attempt === ATTEMPTS || Date.now() + pause >= deadline) throw error;
      await sleep(pause);
    }
  }
}

// Replaces lone surrogates, which are not UTF-8: the text is judged instead of refused.
function wellFormed(text) {
  return Buffer.from(text, 'utf8').toString('utf8');
}

async function ask({ url, key, ...question }, deadline) {
  const left = Math.max(1, deadline - Date.now());
  const headers = { 'content-type': 'application/json', accept: 'application/json' };
  if (key) headers.authorization = `Bearer ${key}`;
  const body = JSON.stringify({ ...question, fields: FIELDS, deadline_ms: left });
  let response;
  let content;
  try {
    const signal = AbortSignal.timeout(left);
    // A redirect would take the text and the key to another address.
    response = await fetch(`${url}/v1/check`, { method: 'POST', headers, body, signal, redirect: 'manual' });
    content = await readBounded(response);
  } catch (error) {
    throw failedExchange(error);
  }
  const value = parsed(content);
  if (response.status !== 200) throw refusal(response, value);
  return rowProbability(value);
}

async function readBounded(response) {
  const chunks = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > LONGEST_ANSWER) throw transient('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

// Keeps only the code of an error of the network: a message could contain the address.
function failedExchange(error) {
  if (error instanceof SignalError) return error;
  if (error?.name === 'TimeoutError') return transient('no answer within the time limit');
  const code = error?.cause?.code;
  // A server may close an idle connection just as it is used again. A second attempt opens a new one.
  const pause = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(code) ? 0 : null;
  return transient(`no answer${codeIn({ code })}`, pause);
}

function parsed(content) {
  try {
    return JSON.parse(content);
  } catch {
    return null;
  }
}

function refusal(response, value) {
  const { status } = response;
  const reason = `HTTP ${status}${codeIn(value?.error)}`;
  if (status < 500 && ![408, 425, 429].includes(status)) return permanent(reason);
  const seconds = response.headers.get('retry-after');
  const mayWait = [429, 503].includes(status) && /^\d{1,6}$/.test(seconds ?? '');
  return transient(reason, mayWait ? 1000 * Number(seconds) : null);
}

// Returns the probability of a row with a verdict. A row without one is an error, never a low score.
function rowProbability(row) {
  const score = row?.probability;
  if (row?.status === 'ok' && typeof score === 'number' && score >= 0 && score <= 1) return score;
  if (!['unresolved', 'error'].includes(row?.status)) throw transient('the answer has no status or no probability');
  const reason = `${row.status}${codeIn(row.error)}`;
  throw ['fault', 'engine'].includes(row.error?.code) ? transient(reason) : permanent(reason);
}

// Returns an error's code in parentheses. Messages are left out: they could quote a text.
function codeIn(error) {
  const code = error?.code;
  return typeof code === 'string' && /^[\w.-]{1,40}$/.test(code) ? ` (${code})` : '';
}

module.exports = { probability };
