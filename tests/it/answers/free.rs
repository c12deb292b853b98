//! Replies that the model writes freely.

#![allow(clippy::wildcard_imports, reason = "a part of the module above, and its helpers")]

use super::*;

#[test]
fn a_model_that_writes_freely_is_read_by_the_same_contract() {
    let tokenizer = tokenizer();
    for policy in policies() {
        for answer in policy.answers() {
            let author = Free { text: policy.contract.complete(&answer, "It is so."), tokenizer: &tokenizer };
            let completion = author.decode(&policy, 200);
            let Outcome::Verdict(judgement) = completion.outcome else { panic!("{:?}", completion.outcome) };
            assert_eq!((judgement.label, judgement.category), (answer.label.clone(), answer.category.clone()));
            assert_eq!(judgement.scores, None);
            assert_eq!(completion.reasoning.unwrap().text, "Hm.");
        }
        let lost = Free { text: "maybe".into(), tokenizer: &tokenizer }.decode(&policy, 200);
        assert_eq!(lost.outcome, Outcome::Unresolved(Unresolved::Unparsed));
        let cut = Free { text: "maybe".into(), tokenizer: &tokenizer }.decode(&policy, 6);
        assert_eq!(cut.outcome, Outcome::Unresolved(magistrate::harmony::completion::NoFinal::Truncated.into()));
    }
}

/// A model that writes headers by itself.
struct Free<'a> {
    text: String,
    tokenizer: &'a Arc<Tokenizer>,
}

impl Free<'_> {
    fn decode(&self, policy: &Policy, budget: usize) -> Completion {
        use Control::{Channel, End, Message, Return, Start};
        let text = |text: &str| Segment::Text(text.to_owned());
        let control = Segment::Control;
        let turn = [
            &[control(Channel), text("analysis"), control(Message), text("Hm."), control(End)][..],
            &[control(Start), text("assistant"), control(Channel), text("final"), control(Message)],
            &[text(&self.text), control(Return)],
        ]
        .concat();
        let turn = self.tokenizer.encode_segments(&turn);
        let suffix = [self.tokenizer.control(Start)];
        let mut backend = Scripted::new(LIMITS, self.tokenizer.len(), |history: &[Token], logits: &mut [f32]| {
            if let Some(next) = history.len().checked_sub(2) {
                logits[turn[next].0 as usize] = 9.0;
            }
        });
        let mode = Mode::Free { budget };
        let plan = DecodePlan::new(
            Arc::clone(self.tokenizer),
            policy.contract.form,
            policy.answers(),
            mode,
            support::any_mass(),
            Sampling::default(),
        );
        run(&mut backend, &[self.tokenizer.control(Message)], &Arc::new(plan), &suffix).unwrap()
    }
}
