// Servers that fail, and settings that are wrong: the signal throws, and its error contains no text.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { freePort, inputOf, replying, signalOf } = require('../support/servers.js');

const SECRET = 'zebrafish';
const row = (probability, more) => ({ status: 'ok', verdict: 'safe', probability, error: null, ...more });

// Checks that a judgment fails with this message, permanent or not.
async function fails(signal, message, isPermanent, input = inputOf(SECRET)) {
  await assert.rejects(signal.run(input), (error) => {
    assert.equal(error.message, `magistrate: ${message}`);
    assert.equal(error.name, isPermanent ? 'SignalPermanentError' : 'SignalTransientError');
    assert.ok(!`${error.stack}${JSON.stringify(error)}${error.cause}`.includes(SECRET));
    return true;
  });
}

async function serverSignal(t, ...replies) {
  const server = await replying(t, ...replies);
  return { ...server, signal: signalOf({ MAGISTRATE_TIMEOUT_MS: '2000' }, { baseUrl: server.url }) };
}

test('a row without a verdict is a permanent error, even if it has a number', async (t) => {
  const off = { code: 'off-contract', message: SECRET };
  for (const probability of [null, 0.01]) {
    const { signal } = await serverSignal(t, { body: row(probability, { status: 'unresolved', error: off }) });
    await fails(signal, 'unresolved (off-contract)', true);
  }
  const { signal } = await serverSignal(t, { body: row(null, { status: 'error', error: { code: 'too-long' } }) });
  await fails(signal, 'error (too-long)', true);
});

test('a fault of the engine is a transient error', async (t) => {
  const { signal } = await serverSignal(t, { body: row(null, { status: 'error', error: { code: 'fault' } }) });
  await fails(signal, 'error (fault)', false);
});

test('a probability that is no number between 0 and 1 is an error', async (t) => {
  for (const wrong of ['0.1', null, true, -0.1, 1.5, [0.1], {}]) {
    const { signal } = await serverSignal(t, { body: row(wrong) });
    await fails(signal, 'the answer has no status or no probability', false);
  }
});

test('an answer that is not JSON is an error', async (t) => {
  for (const wrong of ['', '<html>', 'null', '[', '{"probability":0.1}', '{"status":"ok","probability":NaN}']) {
    const { signal } = await serverSignal(t, { body: wrong });
    await fails(signal, 'the answer has no status or no probability', false);
  }
});

test('a refusal is permanent, except one that may pass', async (t) => {
  const error = { message: SECRET, type: 'invalid_request_error', code: 'a_code' };
  for (const status of [400, 401, 403, 404, 413, 422]) {
    const { signal } = await serverSignal(t, { status, body: { error } });
    await fails(signal, `HTTP ${status} (a_code)`, true);
  }
  for (const status of [408, 429, 500, 502, 503, 504]) {
    const { signal } = await serverSignal(t, { status, body: { error } });
    await fails(signal, `HTTP ${status} (a_code)`, false);
  }
});

test('a code that is no word is left out', async (t) => {
  for (const code of [`${SECRET} and more`, 7, { a: SECRET }, 'a'.repeat(41)]) {
    const { signal } = await serverSignal(t, { status: 500, body: { error: { code } } });
    await fails(signal, 'HTTP 500', false);
  }
});

test('a redirect is not followed', async (t) => {
  const { signal, requests } = await serverSignal(t, { status: 307, headers: { location: '/elsewhere' } });
  await fails(signal, 'HTTP 307', true);
  assert.deepEqual(requests.map(({ path }) => path), ['/v1/check']);
});

test('an overloaded server is asked again after the time that it names', async (t) => {
  const busy = { status: 503, body: { error: { code: 'overloaded' } }, headers: { 'retry-after': '1' } };
  const { signal, requests } = await serverSignal(t, busy, { body: row(0.25) });
  const begin = Date.now();
  assert.deepEqual(await signal.run(inputOf(SECRET)), { score: 0.25, outputType: { scalarType: 'NUMBER' } });
  assert.ok(Date.now() - begin >= 990);
  assert.ok(requests[1].body.deadline_ms <= 1010, 'the time limit holds for all attempts together');
});

test('a server that stays overloaded is a transient error, within the time limit', async (t) => {
  const busy = (seconds) => ({ status: 503, body: { error: { code: 'overloaded' } }, headers: { 'retry-after': seconds } });
  const long = await serverSignal(t, busy('120'));
  await fails(long.signal, 'HTTP 503 (overloaded)', false);
  assert.equal(long.requests.length, 1);
  const short = await serverSignal(t, busy('0'));
  await fails(short.signal, 'HTTP 503 (overloaded)', false);
  assert.equal(short.requests.length, 3);
});

test('a connection that ends without an answer is tried again', async (t) => {
  const { signal } = await serverSignal(t, (response) => response.socket.destroy(), { body: row(0.25) });
  assert.equal((await signal.run(inputOf(SECRET))).score, 0.25);
});

test('silence, and an answer that never ends, meet the time limit', async (t) => {
  const silent = () => {};
  const dripping = (response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(' '), 50);
    response.on('close', () => clearInterval(timer));
  };
  for (const reply of [silent, dripping]) {
    const { url } = await replying(t, reply);
    const signal = signalOf({ MAGISTRATE_TIMEOUT_MS: '300' }, { baseUrl: url });
    const begin = Date.now();
    await fails(signal, 'no answer within the time limit', false);
    assert.ok(Date.now() - begin < 1500);
  }
});

test('an answer that is too long is an error', async (t) => {
  const { signal } = await serverSignal(t, { body: ' '.repeat(2 << 20) });
  await fails(signal, 'the answer is too long', false);
});

test('a closed port is a transient error', async () => {
  const baseUrl = `http://127.0.0.1:${await freePort()}`;
  await fails(signalOf({}, { baseUrl }), 'no answer (ECONNREFUSED)', false);
});

test('wrong settings and inputs are permanent errors', async () => {
  await fails(signalOf({}, undefined), 'the address of the server is not set', true);
  await fails(signalOf({}, { baseUrl: `http://${SECRET}:word@host` }), 'the address of the server is not set', true);
  const key = { baseUrl: 'http://127.0.0.1:9', apiKey: `${SECRET}\r\nx: y` };
  await fails(signalOf({}, key), 'the key has a character that no key has', true);
  const signal = signalOf({}, { baseUrl: 'http://127.0.0.1:9' });
  for (const input of [null, {}, { value: SECRET, orgId: 'org' }, inputOf(7), inputOf(undefined)]) {
    await fails(signal, 'the input is not a text', true, input);
  }
});

test('the request has the key, the policy, the effort and the time limit', async (t) => {
  const { url, requests } = await replying(t, { body: row(0.5) });
  const environment = { MAGISTRATE_POLICIES: 'hate', MAGISTRATE_EFFORT: 'low' };
  await signalOf(environment, { baseUrl: `${url}/base/`, apiKey: 'k1' }).run(inputOf('Hi'));
  const [{ path, headers, body }] = requests;
  assert.deepEqual([path, headers.authorization], ['/base/v1/check', 'Bearer k1']);
  assert.deepEqual([body.policy, body.text, body.effort], ['hate', 'Hi', 'low']);
  assert.ok(body.deadline_ms > 4000 && body.deadline_ms <= 5000);
});

test('the address of the environment comes with its own key, and wins over that of an organization', async (t) => {
  const ours = await replying(t, { body: row(0.5) });
  const theirs = await replying(t, { body: row(0.5) });
  const stored = { baseUrl: theirs.url, apiKey: 'theirs' };
  await signalOf({ MAGISTRATE_URL: ours.url, MAGISTRATE_API_KEY: 'ours' }, stored).run(inputOf('Hi'));
  await signalOf({ MAGISTRATE_API_KEY: 'ours' }, { baseUrl: theirs.url }).run(inputOf('Hi'));
  assert.deepEqual(ours.requests.map(({ headers }) => headers.authorization), ['Bearer ours']);
  assert.deepEqual(theirs.requests.map(({ headers }) => headers.authorization), [undefined]);
});

test('a lone surrogate is replaced, so the text is judged', async (t) => {
  const { signal, requests } = await serverSignal(t, { body: row(0.5) });
  await signal.run(inputOf('a\ud800b \u{1f600}'));
  assert.equal(requests[0].body.text, 'a\ufffdb \u{1f600}');
});
