// Servers for the tests: a real one, and a small one that makes mistakes.
'use strict';

const { execFileSync, spawn } = require('node:child_process');
const http = require('node:http');
const net = require('node:net');
const { setTimeout: sleep } = require('node:timers/promises');

// Loads the plugin anew with these variables.
function load(environment) {
  const names = Object.keys(process.env).filter((name) => name.startsWith('MAGISTRATE_'));
  const before = Object.fromEntries(names.map((name) => [name, process.env[name]]));
  for (const name of names) delete process.env[name];
  Object.assign(process.env, environment);
  try {
    delete require.cache[require.resolve('../index.js')];
    return require('../index.js');
  } finally {
    for (const name of Object.keys(environment)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

// Returns the first signal of a plugin whose organization has these settings.
function signalOf(environment, stored) {
  const { createSignals } = load(environment);
  const [{ signal }] = createSignals({ integrationId: 'MAGISTRATE', getCredential: async () => stored });
  return signal;
}

function inputOf(text) {
  return { value: { type: 'STRING', value: text }, orgId: 'org', matchingValues: undefined, actionPenalties: undefined };
}

// Serves replies `{status, body, headers}` in order, the last one for ever. A reply may be a function of the response.
async function replying(test, ...replies) {
  const requests = [];
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    requests.push({ path: request.url, headers: request.headers, body: JSON.parse(Buffer.concat(chunks)) });
    const reply = replies.length > 1 ? replies.shift() : replies[0];
    if (typeof reply === 'function') return reply(response);
    const { status = 200, body = {}, headers = {} } = reply;
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${server.address().port}`, requests };
}

// Returns the address of a real server, or skips the test with a reason and returns null.
async function magistrate(test) {
  const { MAGISTRATE_URL: url, MAGISTRATE_BINARY: binary } = process.env;
  if (url) return url.replace(/\/+$/, '');
  if (!binary) {
    test.skip('neither MAGISTRATE_URL nor MAGISTRATE_BINARY is set');
    return null;
  }
  const port = await freePort();
  const child = spawn(binary, ['serve', '--listen', `127.0.0.1:${port}`, '-p', 'spam'], { stdio: 'ignore' });
  test.after(() => child.kill());
  const started = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 1200; attempt += 1) {
    if (child.exitCode !== null) throw new Error(`magistrate serve ended with code ${child.exitCode}`);
    const ready = await fetch(`${started}/ready`).then(({ ok }) => ok, () => false);
    if (ready) return started;
    await sleep(100);
  }
  throw new Error('magistrate serve is not ready');
}

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// Returns the probability of a text under `spam`: from `magistrate check`, else from a plain request.
async function check(url, text) {
  const { MAGISTRATE_BINARY: binary, MAGISTRATE_API_KEY: key } = process.env;
  if (binary) return checkWith(binary, text);
  const response = await fetch(`${url}/v1/check`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key && { authorization: `Bearer ${key}` }) },
    body: JSON.stringify({ policy: 'spam', effort: 'none', text }),
  });
  return (await response.json()).probability;
}

// Exit code 1 of `check` is a violation, so a code alone is no error.
function checkWith(binary, text) {
  const flags = ['check', '-p', 'spam', '--effort', 'none', '--json', text];
  try {
    return JSON.parse(execFileSync(binary, flags, { stdio: ['ignore', 'pipe', 'ignore'] })).probability;
  } catch (error) {
    return JSON.parse(error.stdout).probability;
  }
}

module.exports = { check, freePort, inputOf, load, magistrate, replying, signalOf };
