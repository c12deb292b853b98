// The plugin against a real server: that of MAGISTRATE_URL, or one that is started from MAGISTRATE_BINARY.
'use strict';

const assert = require('node:assert/strict');
const { test } = require('node:test');

const { check, inputOf, magistrate, signalOf } = require('../support/servers.js');

const TEXTS = ['WINNER!! Reply YES to claim your prize', 'See you on Thursday', 'Cheap watches, visit our shop now'];

test('a signal has the probability of check, and errors of a real server are errors', async (t) => {
  const url = await magistrate(t);
  if (url === null) return;
  const stored = { baseUrl: url, apiKey: process.env.MAGISTRATE_API_KEY };
  const patient = { MAGISTRATE_TIMEOUT_MS: '120000' };
  const signal = signalOf({ ...patient, MAGISTRATE_POLICIES: 'spam' }, stored);
  for (const text of TEXTS) {
    const [{ score, outputType }, expected] = [await signal.run(inputOf(text)), await check(url, text)];
    assert.ok(Math.abs(score - expected) <= 1e-6, `${score} is not ${expected}`);
    assert.deepEqual(outputType, { scalarType: 'NUMBER' });
  }
  await assert.rejects(signal.run(inputOf('')), { name: 'SignalPermanentError' });
  const unknown = signalOf({ ...patient, MAGISTRATE_POLICIES: 'no-such-policy' }, stored);
  const message = 'magistrate: HTTP 404 (model_not_found)';
  await assert.rejects(unknown.run(inputOf('Hi')), { name: 'SignalPermanentError', message });
});
