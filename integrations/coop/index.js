// The plugin contract of Coop: `manifest` and `createSignals`. Coop loads it with `require`, so it is CommonJS.
'use strict';

const { probability } = require('./lib/check.js');
const { modelCard } = require('./lib/model-card.js');
const { readSettings, usableAddress } = require('./lib/settings.js');
const { version } = require('./package.json');

// Coop passes no configuration to `createSignals`, so the policies come from the environment.
const settings = readSettings(process.env);

const manifest = {
  id: 'MAGISTRATE',
  name: 'magistrate',
  version,
  description: 'Judges text against written policies, with a magistrate server of your own.',
  requiresConfig: settings.url === null,
  configurationFields: settings.url === null ? configurationFields() : [],
  signalTypeIds: settings.policies.map(({ type }) => type),
  modelCard: modelCard(version, settings.policies),
};

function configurationFields() {
  return [
    {
      key: 'baseUrl',
      label: 'Address of the magistrate server',
      required: true,
      inputType: 'text',
      placeholder: 'http://127.0.0.1:8787',
    },
    { key: 'apiKey', label: 'Key', required: false, inputType: 'password' },
  ];
}

function createSignals({ integrationId, getCredential }) {
  const server = (orgId) => serverOf(orgId, getCredential);
  return settings.policies.map((policy) => ({
    signalTypeId: policy.type,
    signal: {
      id: { type: policy.type },
      displayName: `magistrate: ${policy.id}`,
      description: `The probability that the text violates the policy "${policy.id}", from 0 to 1.`,
      docsUrl: null,
      recommendedThresholds: null,
      supportedLanguages: 'ALL',
      pricingStructure: { type: 'FREE' },
      eligibleInputs: ['STRING'],
      outputType: { scalarType: 'NUMBER' },
      getCost: () => 30,
      needsMatchingValues: false,
      eligibleSubcategories: [],
      needsActionPenalties: false,
      integration: integrationId,
      allowedInAutomatedRules: true,
      run: (input) => run(policy, input, server),
      getDisabledInfo: (orgId) => disabledInfo(orgId, server),
    },
  }));
}

async function run(policy, input, server) {
  const { effort, timeout } = settings;
  const { url, key } = await server(input?.orgId);
  const score = await probability({ url, key, policy: policy.id, text: input?.value?.value, effort, timeout });
  return { score, outputType: { scalarType: 'NUMBER' } };
}

// The address and the key have one origin, so the key of the environment never reaches an address of an organization.
async function serverOf(orgId, getCredential) {
  if (settings.url !== null) return { url: settings.url, key: settings.key };
  const stored = (await getCredential(orgId)) ?? {};
  return { url: usableAddress(stored.baseUrl), key: stored.apiKey };
}

async function disabledInfo(orgId, server) {
  const { url } = await server(orgId);
  if (url !== null) return { disabled: false };
  return { disabled: true, disabledMessage: 'Set the address of the magistrate server to use its signals.' };
}

module.exports = { manifest, createSignals };
