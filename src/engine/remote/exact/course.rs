//! The course of one content on a server at the level exact: reasoning, answer and rationale, as on this machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::ids::Ids;
use super::score::{Depth, score};
use super::{Exact, Writing};
use crate::engine::completion::{Cascade, Completion, ReasoningEnd};
use crate::engine::config::{Mode, Sampling};
use crate::engine::decode_plan::{DecodePlan, RATIONALE_BUDGET};
use crate::engine::remote::error::RemoteError;
use crate::engine::turn::Turn;
use crate::harmony::{Control, completion};
use crate::tokenizer::Token;
use crate::verdict::ladder::{is_rung, is_sure};

/// Judges a content. `None` if it was abandoned on the way.
pub fn judge(
    server: &dyn Exact,
    plan: &Arc<DecodePlan>,
    prefix: &Ids,
    suffix: &[Token],
    abandoned: &AtomicBool,
) -> Result<Option<Completion>, RemoteError> {
    let turn = Turn::new(Arc::clone(plan), prefix.len(), suffix.len());
    let mut course = Course { server, turn, prompt: prefix.with(suffix), abandoned };
    match plan.mode {
        Mode::Answer => {
            course.prompt.extend(&plan.opener);
            course.answer()?;
        }
        Mode::Reason { budget } => {
            course.reason(budget)?;
            course.answer()?;
        }
        Mode::Cascade { budget, .. } => {
            if course.escalates()? {
                course.reason(budget)?;
                course.answer()?;
            }
        }
        Mode::Free { budget } => course.write_freely(budget)?,
    }
    Ok((!course.is_abandoned()).then(|| course.turn.completion()))
}

struct Course<'engine> {
    server: &'engine dyn Exact,
    turn: Turn,
    /// Everything that the model has read and written.
    prompt: Ids,
    abandoned: &'engine AtomicBool,
}

impl Course<'_> {
    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Lets the model write up to this many tokens, with ordinary tokens and these control tokens in the text. Returns
    /// them, and the stop that ended them.
    ///
    /// Any other control token is cut off with all behind it, and the rest is written without it.
    fn write(
        &self,
        most: usize,
        inside: &[Token],
        sampling: Sampling,
    ) -> Result<(Vec<Token>, Option<Token>), RemoteError> {
        let plan = &self.turn.plan;
        let (ordinary, stops) = (plan.ordinary(), &plan.stops);
        let is_text = |token: &Token| ordinary.contains(&token.0) || inside.contains(token);
        let others = plan.controls.iter().filter(|token| !stops.contains(token) && !inside.contains(token));
        let mut banned: Vec<Token> = others.copied().collect();
        let mut text: Vec<Token> = Vec::new();
        while text.len() < most && !self.is_abandoned() {
            let writing = Writing { most: most - text.len(), stops, banned: &banned, sampling };
            let written = self.server.write(&self.prompt.with(&text), &writing)?;
            if written.is_empty() || written.len() > writing.most {
                let (written, most) = (written.len(), writing.most);
                return Err(RemoteError::Reply(format!("{written} tokens, of {most} at most")));
            }
            let until = written.iter().position(|token| !is_text(token)).unwrap_or(written.len());
            text.extend(&written[..until]);
            match written.get(until) {
                Some(token) if stops.contains(token) => return Ok((text, Some(*token))),
                Some(token) if banned.contains(token) => {
                    return Err(RemoteError::Reply(format!("token {}, which the request forbids", token.0)));
                }
                Some(token) => banned.push(*token),
                None => {}
            }
        }
        Ok((text, None))
    }

    /// Lets the model reason, up to its budget or until a verdict is sure. The prompt then ends with the header of
    /// `final`.
    fn reason(&mut self, budget: usize) -> Result<(), RemoteError> {
        let plan = Arc::clone(&self.turn.plan);
        self.prompt.extend(&plan.analysis);
        while self.turn.written.len() < budget && !self.is_abandoned() {
            let before = self.turn.written.len();
            let rung = plan.ladder.and_then(|_| (before..budget).find(|tokens| is_rung(*tokens)));
            // A rung is in front of a token: reasoning that ends there by itself needs none.
            let most = rung.map_or(budget, |rung| rung + 1) - before;
            let (body, stop) = self.write(most, &[], self.sampling())?;
            let (now, later) = body.split_at(rung.map_or(body.len(), |rung| body.len().min(rung - before)));
            self.append(now);
            if !later.is_empty() {
                if self.is_sure()? {
                    self.turn.end = ReasoningEnd::Sure;
                    break;
                }
                self.append(later);
            }
            if stop.is_some() {
                self.turn.end = ReasoningEnd::Itself;
                break;
            }
        }
        self.prompt.extend(&plan.opener);
        Ok(())
    }

    /// Appends tokens of the reasoning.
    fn append(&mut self, tokens: &[Token]) {
        self.prompt.extend(tokens);
        self.turn.written.extend(tokens);
        self.turn.usage.reasoning += tokens.len();
    }

    /// Returns the sampling of the next tokens. Equal contents get equal tokens, and each request its own numbers.
    fn sampling(&self) -> Sampling {
        let Sampling { temperature, seed } = self.turn.plan.sampling;
        Sampling { temperature, seed: seed.wrapping_add(self.turn.written.len() as u64) }
    }

    /// Scores the answers at a rung, and reports whether a verdict is sure there.
    fn is_sure(&mut self) -> Result<bool, RemoteError> {
        let plan = Arc::clone(&self.turn.plan);
        let Some(ladder) = plan.ladder else { return Ok(false) };
        let scored = score(self.server, &plan, &self.prompt.with(&plan.opener), Depth::Verdicts)?;
        self.turn.add_probe(&scored.logs);
        let sure = is_sure(&self.turn.probes, ladder.sure);
        if !sure {
            self.turn.usage.probes += plan.opener.len() + scored.tokens;
        }
        Ok(sure)
    }

    /// Scores the first answer of a cascade, and reports whether it is too close to call. A clear one is the answer.
    fn escalates(&mut self) -> Result<bool, RemoteError> {
        let plan = Arc::clone(&self.turn.plan);
        let Mode::Cascade { band, .. } = plan.mode else { return Ok(false) };
        let prompt = self.prompt.with(&plan.direct);
        let scored = score(self.server, &plan, &prompt, Depth::Answers)?;
        self.turn.usage.answer += scored.tokens;
        let decided = plan.rule.decide(&plan.answers, &scored.logs).ok();
        let first = decided.map(|(_, scores)| scores.probability);
        let escalated = first.is_none_or(|first| band.low <= first && first <= band.high);
        self.turn.cascade = Some(Cascade { first, escalated });
        if !escalated {
            self.prompt = prompt;
            self.decide(scored.logs)?;
        }
        Ok(escalated)
    }

    /// Scores the answers behind the header of `final`, and decides.
    fn answer(&mut self) -> Result<(), RemoteError> {
        if self.is_abandoned() {
            return Ok(());
        }
        let scored = score(self.server, &self.turn.plan, &self.prompt, Depth::Answers)?;
        self.turn.usage.answer += scored.tokens;
        self.decide(scored.logs)
    }

    /// Decides between the answers. A rationale is written behind the one that won.
    fn decide(&mut self, logs: Vec<f64>) -> Result<(), RemoteError> {
        let plan = Arc::clone(&self.turn.plan);
        let Some(leaf) = self.turn.decide(logs).filter(|_| plan.rationale) else { return Ok(()) };
        self.prompt.extend(plan.tree.path(leaf));
        let (text, _) = self.write(RATIONALE_BUDGET, &[], self.sampling())?;
        for token in text {
            self.turn.usage.rationale += 1;
            if self.turn.rationale.push(plan.tokenizer.bytes(token)) {
                break;
            }
        }
        Ok(())
    }

    /// Lets the model write its whole turn.
    fn write_freely(&mut self, budget: usize) -> Result<(), RemoteError> {
        let plan = Arc::clone(&self.turn.plan);
        let end = plan.tokenizer.control(Control::End);
        let inside: Vec<Token> = plan.controls.iter().filter(|token| !plan.stops.contains(token)).copied().collect();
        while self.turn.written.len() < budget && !self.is_abandoned() {
            let (text, stop) = self.write(budget - self.turn.written.len(), &inside, self.sampling())?;
            self.append(&text);
            let Some(stop) = stop else { continue };
            self.append(&[stop]);
            // `<|end|>` may end the analysis alone. The turn ends with it only if a complete reply was written.
            if stop != end || completion::parse(&self.turn.segments()).is_ok() {
                self.turn.end = ReasoningEnd::Itself;
                break;
            }
        }
        Ok(())
    }
}
