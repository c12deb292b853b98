//! The work of a measurement.

use std::sync::Arc;

use crate::content::Content;
use crate::engine::SessionOptions;
use crate::engine::backend::Layout;
use crate::engine::decode_plan::DecodePlan;
use crate::policy::Policy;
use crate::prompt::{Prompt, TemplateError, Templates};
use crate::random::Random;
use crate::tokenizer::{Token, Tokenizer};

/// The work of a measurement.
#[derive(Debug)]
pub struct Work {
    /// Tokens of the policy.
    pub prefix: Vec<Token>,
    /// Decoding plan of all items.
    pub plan: Arc<DecodePlan>,
    /// Tokens of each item.
    pub suffixes: Vec<Vec<Token>>,
}

/// Sizes of made-up work, in tokens.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    /// Tokens of the policy.
    pub policy: usize,
    /// Tokens of each content.
    pub content: usize,
    /// Tokens that each item writes, sampled or appended. With 0 the only output is a scored answer.
    pub output: usize,
    /// Tokens of the output that are known beforehand and appended.
    pub fixed: usize,
    /// Number of items.
    pub items: usize,
}

impl Work {
    /// Returns work of random tokens, which are the same each time.
    #[must_use]
    pub fn counted(tokenizer: &Arc<Tokenizer>, counts: Counts) -> Self {
        let mut random = Random::new(7);
        let ordinary = tokenizer.ordinary();
        let span = ordinary.len();
        let mut tokens = |count: usize| -> Vec<Token> {
            let mut token = || Token(ordinary.start + u32::try_from(random.below(span)).unwrap_or_default());
            (0..count).map(|_| token()).collect()
        };
        let Counts { policy, content, output, fixed, items } = counts;
        // Without output the answer is scored behind the content's own last token.
        let (content, sampled, appended) = match output {
            0 => (content.saturating_sub(1), 0, 1),
            _ => (content, output.saturating_sub(fixed), fixed.min(output)),
        };
        let appended = tokens(appended);
        Self {
            prefix: tokens(policy),
            plan: Arc::new(DecodePlan::counted(Arc::clone(tokenizer), sampled, &appended)),
            suffixes: (0..items).map(|_| tokens(content)).collect(),
        }
    }

    /// Returns the work of judging contents by a policy.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] if a template cannot render the policy.
    pub fn judging<'text>(
        tokenizer: &Arc<Tokenizer>,
        policy: &Policy,
        options: &SessionOptions,
        contents: impl IntoIterator<Item = &'text Content>,
    ) -> Result<Self, TemplateError> {
        let effort = options.effort.unwrap_or(policy.effort);
        let prompt = Prompt::new(&Templates::shipped(), policy, effort, options.date.as_deref())?;
        Ok(Self {
            prefix: prompt.prefix_tokens(tokenizer),
            plan: Arc::new(options.decode_plan(tokenizer, policy)),
            suffixes: contents.into_iter().map(|content| prompt.suffix_tokens(tokenizer, content.text())).collect(),
        })
    }

    /// Returns the cells that a worker needs for the policy and `parallel` items at once. In the split layout, the
    /// cells of one sequence.
    #[must_use]
    pub fn cells(&self, layout: Layout, parallel: usize) -> usize {
        let longest = self.suffixes.iter().map(Vec::len).max().unwrap_or_default();
        match layout {
            Layout::Unified => self.prefix.len() + parallel * self.plan.cells(longest, FORKS),
            Layout::Split => self.prefix.len() + self.plan.cells(longest, 0),
        }
    }
}

/// Forks for answers that are counted for each item.
const FORKS: usize = 8;
