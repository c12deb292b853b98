// Settings from the environment of the Coop server.
'use strict';

const DEFAULT_POLICIES = 'spam,fraud-and-scams,hate,harassment';
const DEFAULT_TIMEOUT = 5000;
// Node ends a request without an answer after 300 seconds.
const LONGEST_TIMEOUT = 300_000;
const EFFORTS = ['none', 'low', 'medium', 'high'];

// Returns the settings. Throws an error that names the unusable variable, which ends the start of Coop.
function readSettings(environment) {
  const { MAGISTRATE_URL, MAGISTRATE_API_KEY, MAGISTRATE_EFFORT, MAGISTRATE_TIMEOUT_MS } = environment;
  const url = usableAddress(MAGISTRATE_URL);
  if (MAGISTRATE_URL && url === null) throw new Error('MAGISTRATE_URL needs the form http://HOST:PORT');
  if (MAGISTRATE_API_KEY && !isKey(MAGISTRATE_API_KEY)) {
    throw new Error('MAGISTRATE_API_KEY has a character that no key has');
  }
  const effort = MAGISTRATE_EFFORT || 'none';
  if (!EFFORTS.includes(effort)) throw new Error(`MAGISTRATE_EFFORT is not one of ${EFFORTS.join(', ')}`);
  const timeout = Number(MAGISTRATE_TIMEOUT_MS || DEFAULT_TIMEOUT);
  if (!Number.isInteger(timeout) || timeout < 1 || timeout > LONGEST_TIMEOUT) {
    throw new Error(`MAGISTRATE_TIMEOUT_MS is not a number from 1 to ${LONGEST_TIMEOUT}`);
  }
  return { policies: readPolicies(environment.MAGISTRATE_POLICIES), url, key: MAGISTRATE_API_KEY, effort, timeout };
}

// Returns the ids of a list with commas, each with the type of its signal.
function readPolicies(list) {
  const ids = (list || DEFAULT_POLICIES).split(',').map((id) => id.trim()).filter((id) => id !== '');
  if (ids.length === 0) throw new Error('MAGISTRATE_POLICIES names no policy');
  const types = new Map();
  for (const id of ids) {
    const type = signalType(id);
    const other = types.get(type);
    if (other !== undefined) throw new Error(`MAGISTRATE_POLICIES: "${other}" and "${id}" have the same signal, ${type}`);
    types.set(type, id);
  }
  return [...types].map(([type, id]) => ({ id, type }));
}

// Rules of Coop store this name, so it depends on nothing but the policy's id.
function signalType(id) {
  return `MAGISTRATE_${id.toUpperCase().replaceAll(/[^A-Z0-9]+/g, '_')}`;
}

// Returns the address without its last slashes, or null for anything but a plain HTTP address.
function usableAddress(text) {
  if (typeof text !== 'string') return null;
  let url;
  try {
    url = new URL(text.trim());
  } catch {
    return null;
  }
  const isPlain = url.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (!['http:', 'https:'].includes(url.protocol) || !isPlain) return null;
  return url.href.replace(/\/+$/, '');
}

// Reports whether a key fits into a header.
function isKey(text) {
  return /^[\x21-\x7e]+$/.test(text);
}

module.exports = { isKey, readSettings, usableAddress };
