// The model card that Coop shows. Coop refuses a plugin without these seven sections.
'use strict';

function modelCard(version, policies) {
  const ids = policies.map(({ id }) => id).join(', ');
  return {
    modelName: 'The model of your magistrate server',
    version,
    sections: [
      section('trainingData', 'Training Data', {
        Model: 'The server runs a gpt-oss-safeguard model of OpenAI, or the small model that is built into magistrate.',
        'Your content': 'Texts go to your own server alone. This plugin stores none of them.',
      }),
      section('policyAndTaxonomy', 'Policy and Taxonomy', {
        Policies: ids,
        Source: 'Each policy is a text that the model reads before the content. "magistrate policy show ID" prints it.',
      }),
      section('annotationMethodology', 'Annotation Methodology', {
        Score: 'P(violation): the share of the violating answers in the probability of all answers that are allowed.',
        'Golden sets': 'Each shipped policy has a golden set: texts whose correct label is known.',
      }),
      section('performanceBenchmarks', 'Performance and Benchmarks', {
        Benchmarks: 'Quality depends on the model, the policy and your content. "magistrate eval" measures all three.',
      }),
      section('biasAndLimitations', 'Bias and Limitations', {
        Input: 'Only text is judged: no images, no links, no earlier messages of a conversation.',
        'No verdict': 'Some texts have no verdict. The signal reports an error for them, and never a low score.',
        People: 'Errors are not spread evenly over languages and groups. Let people review what a rule acts on.',
      }),
      section('implementationGuidance', 'Implementation Guidance', {
        Threshold: 'Choose it on labeled texts of your own. "magistrate calibrate" tests whether it holds.',
        Effort: 'MAGISTRATE_EFFORT sets how much the model reasons. More effort needs a longer MAGISTRATE_TIMEOUT_MS.',
      }),
      section('relevantLinks', 'Relevant Links', {
        'gpt-oss-safeguard': 'https://huggingface.co/openai/gpt-oss-safeguard-20b',
        Coop: 'https://github.com/roostorg/coop',
      }),
    ],
  };
}

function section(id, title, fields) {
  return { id, title, fields: Object.entries(fields).map(([label, value]) => ({ label, value })) };
}

module.exports = { modelCard };
