// The contract of Coop's plugins, as Coop's loader checks it.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');

const { load, signalOf } = require('../support/servers.js');

const SECTIONS = [
  'trainingData',
  'policyAndTaxonomy',
  'annotationMethodology',
  'performanceBenchmarks',
  'biasAndLimitations',
  'implementationGuidance',
  'relevantLinks',
];

test('the manifest has what Coop requires, and a model card with the seven sections', () => {
  const { manifest } = load({});
  assert.match(manifest.id, /^[A-Z_]+$/);
  assert.equal(typeof manifest.name, 'string');
  assert.equal(manifest.version, require('../package.json').version);
  assert.deepEqual(manifest.modelCard.sections.map(({ id }) => id), SECTIONS);
  for (const { title, fields } of manifest.modelCard.sections) {
    assert.ok(title && fields.length > 0 && fields.every(({ label, value }) => label && value));
  }
});

test('the signals are those of the manifest, one for each policy', () => {
  const { manifest, createSignals } = load({ MAGISTRATE_POLICIES: ' spam, my policy ,,fraud-and-scams' });
  const types = ['MAGISTRATE_SPAM', 'MAGISTRATE_MY_POLICY', 'MAGISTRATE_FRAUD_AND_SCAMS'];
  assert.deepEqual(manifest.signalTypeIds, types);
  const signals = createSignals({ integrationId: 'MAGISTRATE', getCredential: async () => undefined });
  assert.ok(Array.isArray(signals), 'Coop does not wait for a promise');
  assert.deepEqual(signals.map(({ signalTypeId }) => signalTypeId), types);
  for (const { signalTypeId, signal } of signals) {
    assert.equal(signal.id.type, signalTypeId);
    assert.deepEqual([signal.eligibleInputs, signal.outputType], [['STRING'], { scalarType: 'NUMBER' }]);
    assert.equal(signal.integration, 'MAGISTRATE');
    assert.equal(typeof signal.getCost(), 'number');
  }
});

test('unusable settings end the start with the name of the variable', () => {
  const wrong = {
    MAGISTRATE_POLICIES: [' , ', 'my-policy,my policy', 'spam,spam'],
    MAGISTRATE_URL: ['localhost:8787', 'ftp://host', 'http://name@host', 'http://host/?a=b', 'nowhere'],
    MAGISTRATE_API_KEY: ['two words', 'line\nbreak'],
    MAGISTRATE_EFFORT: ['most'],
    MAGISTRATE_TIMEOUT_MS: ['0', '-1', '1.5', 'soon', '300001'],
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) assert.throws(() => load({ [name]: value }), new RegExp(name), `${name}=${value}`);
  }
});

test('with an address in the environment no organization needs a configuration', async () => {
  const { manifest } = load({ MAGISTRATE_URL: 'http://127.0.0.1:8787/' });
  assert.deepEqual([manifest.requiresConfig, manifest.configurationFields], [false, []]);
  const signal = signalOf({ MAGISTRATE_URL: 'http://127.0.0.1:8787/' }, undefined);
  assert.deepEqual(await signal.getDisabledInfo('org'), { disabled: false });
});

test('a signal is disabled until the organization has a usable address', async () => {
  assert.equal(load({}).manifest.requiresConfig, true);
  for (const stored of [undefined, {}, { baseUrl: '' }, { baseUrl: 'nowhere' }, { baseUrl: 7 }]) {
    const { disabled, disabledMessage } = await signalOf({}, stored).getDisabledInfo('org');
    assert.equal(disabled, true);
    assert.ok(disabledMessage);
  }
  const { disabled } = await signalOf({}, { baseUrl: 'http://127.0.0.1:8787' }).getDisabledInfo('org');
  assert.equal(disabled, false);
});

test('the packed package is small, complete and loads where it is installed', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'coop-magistrate-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const root = path.join(__dirname, '..');
  const [{ filename, files }] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] }),
  );
  assert.ok(files.every(({ path: name }) => /^(index\.js|package\.json|README\.md|LICENSE|lib\/)/.test(name)));
  const modules = path.join(folder, 'node_modules', 'coop-integration-magistrate');
  fs.mkdirSync(modules, { recursive: true });
  execFileSync('tar', ['xzf', path.join(folder, filename), '-C', modules, '--strip-components=1']);
  const { manifest, createSignals } = createRequire(path.join(folder, 'package.json'))('coop-integration-magistrate');
  assert.equal(manifest.id, 'MAGISTRATE');
  assert.equal(typeof createSignals, 'function');
  assert.equal(require('../package.json').dependencies, undefined);
});
