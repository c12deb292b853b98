//! One content on its way through the phases of decoding.
//!
//! The one idea: we write every header, the model only fills bodies. `analysis` is sampled within a budget, the
//! opener of `final` is appended whole, then the tree of answers is scored, forking where it branches, and a rationale
//! is sampled behind the answer that won. An item only says which tokens it wants decoded, and moves on when it is shown
//! the logits; how its tokens share batches with other items' is not known here.

use std::sync::Arc;

use super::backend::{Backend, Batch, Fault, Row, Seq};
use super::sample::{Sampler, log_sum_exp};
use super::script::{Mode, RATIONALE_BUDGET, Script, forced};
use crate::harmony::{Control, Segment, reply};
use crate::policy::{Answer, Form};
use crate::tokenizer::{Token, Tokenizer};
use crate::verdict::{Judgement, NodeId, Outcome, Rationale, Scores, Step, Target, Unresolved, read_answer};

/// The sliding window of gpt-oss, in tokens.
const WINDOW: usize = 128;

/// What came of an item.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The verdict, or why there is none.
    pub outcome: Outcome,
    /// What the model reasoned. For developers: it may be wrong, or as bad as the content.
    pub reasoning: Option<Reasoning>,
    /// What it took.
    pub usage: Usage,
}

/// The `analysis` of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reasoning {
    /// Its text.
    pub text: String,
    /// Whether the model ended it by itself, rather than by running out of its budget.
    pub finished: bool,
}

/// Tokens of one item, by what they were for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the policy's prefix, decoded once for all items.
    pub prefix: usize,
    /// Of the content, and what stands around it.
    pub suffix: usize,
    /// Sampled as reasoning. When the model writes freely, all of its tokens.
    pub reasoning: usize,
    /// Appended and scored for the answers.
    pub answer: usize,
    /// Sampled as rationale.
    pub rationale: usize,
}

/// An item that is being decoded.
#[derive(Debug)]
pub struct Item {
    script: Arc<Script>,
    phase: Phase,
    /// The item's own sequence, first, and the forks that score answers.
    lanes: Vec<Lane>,
    /// Branches that wait for a free sequence.
    waiting: Vec<Branch>,
    /// The logarithm of each answer's probability, as far as it is known.
    logs: Vec<f64>,
    sampler: Sampler,
    written: Vec<Token>,
    finished: bool,
    rationale: Rationale,
    verdict: Option<(usize, Scores)>,
    usage: Usage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reason,
    Free,
    Answer,
    Rationale,
    Done,
}

/// A sequence, and the tokens that it is to be fed.
#[derive(Debug)]
struct Lane {
    seq: Seq,
    position: usize,
    queue: Vec<Token>,
    fed: usize,
    /// From this token of the queue on logits are wanted.
    wanted: usize,
    /// Rows of the last batch, by their place in the queue.
    rows: Vec<(usize, Row)>,
    branch: Branch,
}

/// A path down the tree of answers.
#[derive(Clone, Debug, Default)]
struct Branch {
    /// Its tokens, from the trunk's end on.
    path: Vec<Token>,
    /// How many of them are scored.
    scored: usize,
    /// The nodes that the others lead to.
    nodes: Vec<NodeId>,
    /// The logarithm of the probability of what is scored.
    log: f64,
}

impl Item {
    /// An item whose sequence is `seq`, forked from a prefix of so many tokens.
    #[must_use]
    pub fn new(script: Arc<Script>, seq: Seq, prefix: usize, suffix: &[Token]) -> Self {
        let mut item = Self {
            phase: Phase::Done,
            lanes: vec![Lane::new(seq, prefix)],
            waiting: Vec::new(),
            logs: vec![f64::NEG_INFINITY; script.answers.len()],
            sampler: Sampler::new(script.sampling),
            written: Vec::new(),
            finished: false,
            rationale: Rationale::default(),
            verdict: None,
            usage: Usage { prefix, suffix: suffix.len(), ..Usage::default() },
            script,
        };
        item.lanes[0].queue.extend_from_slice(suffix);
        match item.script.mode {
            Mode::Answer => item.open_answer(),
            Mode::Reason { .. } => {
                item.lanes[0].feed(&item.script.analysis);
                item.phase = Phase::Reason;
            }
            Mode::Free { .. } => {
                item.lanes[0].feed(&[]);
                item.phase = Phase::Free;
            }
        }
        item
    }

    /// Puts the tokens that it wants decoded into a batch, as many as there is room for.
    pub fn fill(&mut self, batch: &mut Batch) {
        for lane in &mut self.lanes {
            while let Some(&token) = lane.queue.get(lane.fed) {
                let wanted = lane.fed >= lane.wanted;
                let Some(row) = batch.push(token, lane.position, lane.seq, wanted) else {
                    return;
                };
                if wanted {
                    lane.rows.push((lane.fed, row));
                }
                lane.fed += 1;
                lane.position += 1;
            }
        }
    }

    /// Moves on with the logits of the batch that it filled. `free` are sequences that it may fork into, and where it
    /// puts back those that it is done with.
    ///
    /// # Errors
    ///
    /// [`Fault::NotFinite`]; the item is then to be released.
    pub fn advance(&mut self, backend: &mut dyn Backend, free: &mut Vec<Seq>) -> Result<(), Fault> {
        if self.phase == Phase::Answer {
            return self.score(backend, free);
        }
        let Some((_, row)) = self.lanes[0].rows.pop() else {
            return Ok(());
        };
        let logits = backend.logits(row);
        let script = Arc::clone(&self.script);
        let stops = script.stops();
        match self.phase {
            Phase::Reason => {
                let token = self.sampler.take(logits, &script.ordinary(), &stops)?;
                self.finished = stops.contains(&token);
                if !self.finished {
                    self.written.push(token);
                    self.usage.reasoning += 1;
                    self.lanes[0].feed(&[token]);
                }
                if self.finished || matches!(script.mode, Mode::Reason { budget } if self.written.len() >= budget) {
                    self.open_answer();
                }
            }
            Phase::Free => {
                let controls = Control::ALL.map(|control| script.tokenizer.control(control));
                let token = self.sampler.take(logits, &script.ordinary(), &controls)?;
                self.written.push(token);
                self.usage.reasoning += 1;
                self.finished = token != script.tokenizer.control(Control::End) && stops.contains(&token)
                    || stops.contains(&token) && reply::read(&self.segments()).is_ok();
                if self.finished || matches!(script.mode, Mode::Free { budget } if self.written.len() >= budget) {
                    self.phase = Phase::Done;
                } else {
                    self.lanes[0].feed(&[token]);
                }
            }
            Phase::Rationale => {
                let token = self.sampler.take(logits, &script.ordinary(), &stops)?;
                let stopped = stops.contains(&token);
                if !stopped {
                    self.usage.rationale += 1;
                }
                if stopped
                    || self.rationale.push(script.tokenizer.bytes(token))
                    || self.usage.rationale >= RATIONALE_BUDGET
                {
                    self.phase = Phase::Done;
                } else {
                    self.lanes[0].feed(&[token]);
                }
            }
            Phase::Answer | Phase::Done => {}
        }
        Ok(())
    }

    /// Whether nothing more is wanted.
    #[must_use]
    pub fn done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// Empties the item's sequences and gives them back.
    pub fn release(&mut self, backend: &mut dyn Backend, free: &mut Vec<Seq>) {
        for lane in self.lanes.drain(..) {
            backend.clear(lane.seq);
            free.push(lane.seq);
        }
    }

    /// What came of it, once it is done.
    #[must_use]
    pub fn completion(self) -> Completion {
        if let Mode::Free { .. } = self.script.mode {
            return self.free_completion();
        }
        let script = &self.script;
        let reasoning = matches!(script.mode, Mode::Reason { .. }).then(|| Reasoning {
            text: String::from_utf8_lossy(&script.tokenizer.decode(&self.written)).into_owned(),
            finished: self.finished,
        });
        let outcome = match self.verdict {
            Some((leaf, scores)) => {
                let rationale = (script.form == Form::Rationale).then(|| self.rationale.text());
                Outcome::Verdict(judgement(&script.answers[leaf], Some(scores), rationale))
            }
            None => Outcome::Unresolved(Unresolved::OffContract { mass: self.logs.iter().map(|log| log.exp()).sum() }),
        };
        Completion { outcome, reasoning, usage: self.usage }
    }

    fn free_completion(self) -> Completion {
        let script = &self.script;
        let (outcome, analysis) = match reply::read(&self.segments()) {
            Ok(reply) => (
                match read_answer(script.form, &script.answers, &reply.body) {
                    Some((leaf, rationale)) => Outcome::Verdict(Judgement {
                        repaired: reply.repaired,
                        ..judgement(&script.answers[leaf], None, rationale)
                    }),
                    None => Outcome::Unresolved(Unresolved::Unparsed),
                },
                reply.analysis,
            ),
            Err(_) if !self.finished => {
                let text = String::from_utf8_lossy(&script.tokenizer.decode(&self.written)).into_owned();
                (Outcome::Unresolved(reply::NoFinal::Truncated.into()), text)
            }
            Err(why) => (Outcome::Unresolved(why.into()), String::new()),
        };
        Completion {
            outcome,
            reasoning: Some(Reasoning { text: analysis, finished: self.finished }),
            usage: self.usage,
        }
    }

    /// Appends the opener of `final` and what all answers begin with.
    fn open_answer(&mut self) {
        let lane = &mut self.lanes[0];
        lane.queue.drain(..lane.fed);
        lane.fed = 0;
        lane.queue.extend_from_slice(&self.script.opener);
        lane.wanted = lane.queue.len() - 1;
        lane.queue.extend_from_slice(&self.script.trunk);
        lane.branch = Branch { nodes: self.script.trunk_nodes.clone(), ..Branch::default() };
        self.usage.answer += self.script.trunk.len();
        self.phase = Phase::Answer;
    }

    /// Scores the answers as far as the last batch went, and branches.
    fn score(&mut self, backend: &mut dyn Backend, free: &mut Vec<Seq>) -> Result<(), Fault> {
        let script = Arc::clone(&self.script);
        for index in 0..self.lanes.len() {
            let rows = std::mem::take(&mut self.lanes[index].rows);
            for (place, row) in rows {
                let lane = &mut self.lanes[index];
                let node = lane.branch.nodes[place - lane.wanted];
                let logs = edge_logs(backend.logits(row), &script, node)?;
                let log = lane.branch.log;
                let mut children = Vec::new();
                for (edge, edge_log) in script.tree.edges(node).iter().zip(logs) {
                    match (edge.to, edge.step) {
                        (Target::Leaf(leaf), _) => self.logs[leaf] = log + edge_log,
                        (Target::Node(next), Step::Token(token)) => children.push((token, next, log + edge_log)),
                        // A stop ends an answer: it leads to no node.
                        (Target::Node(_), Step::Stop) => {}
                    }
                }
                if place + 1 < lane.queue.len() {
                    // In the middle of a forced stretch: the only child is what stands next in the queue.
                    lane.branch.log = children.first().map_or(log, |(_, _, log)| *log);
                    continue;
                }
                self.branch(index, children, backend, free)?;
            }
        }
        self.lend(backend, free);
        if self.waiting.is_empty() && self.lanes.len() == 1 && self.lanes[0].over() {
            self.decide();
        }
        Ok(())
    }

    /// Goes on from the end of a lane to each of these children: one of them in the lane itself, unless it is the item's
    /// own, the others in forks of it as long as sequences are free.
    fn branch(
        &mut self,
        index: usize,
        children: Vec<(Token, NodeId, f64)>,
        backend: &mut dyn Backend,
        free: &mut Vec<Seq>,
    ) -> Result<(), Fault> {
        let lane = &self.lanes[index];
        if index == 0 && lane.position > self.usage.prefix + WINDOW {
            // What has left the window is still there for reuse, and forks would keep it from that.
            backend.compact(lane.seq)?;
        }
        let (from, position, stem) = (lane.seq, lane.position, lane.branch.path.clone());
        let mut branches = children.into_iter().map(|(token, next, log)| {
            let (tokens, nodes) = forced(&self.script.tree, next);
            let path = [&stem, [token].as_slice(), &tokens].concat();
            Branch { path, scored: stem.len(), nodes: [vec![next], nodes].concat(), log }
        });
        let stays = if index > 0 { branches.next() } else { None };
        let branches: Vec<Branch> = branches.collect();
        for branch in branches {
            let Some(seq) = free.pop() else {
                self.waiting.push(branch);
                continue;
            };
            backend.fork(from, seq);
            self.lanes.push(Lane::on(seq, position, branch, stem.len()));
            self.usage.answer += self.lanes.last().map_or(0, |lane| lane.queue.len());
        }
        if let Some(branch) = stays {
            self.lanes[index] = Lane::on(from, position, branch, stem.len());
            self.usage.answer += self.lanes[index].queue.len();
        }
        Ok(())
    }

    /// Takes back the sequences of lanes that are over, and lends them and other free ones to branches that wait. Such a
    /// branch is forked from the item's own lane and fed its whole path again, which is a few tokens long.
    fn lend(&mut self, backend: &mut dyn Backend, free: &mut Vec<Seq>) {
        for index in (1..self.lanes.len()).rev() {
            if self.lanes[index].over() {
                let lane = self.lanes.swap_remove(index);
                backend.clear(lane.seq);
                free.push(lane.seq);
            }
        }
        while !self.waiting.is_empty()
            && let Some(seq) = free.pop()
        {
            let branch = self.waiting.swap_remove(0);
            backend.fork(self.lanes[0].seq, seq);
            self.usage.answer += branch.path.len();
            self.lanes.push(Lane::on(seq, self.lanes[0].position, branch, 0));
        }
    }

    /// All answers are scored.
    fn decide(&mut self) {
        let script = Arc::clone(&self.script);
        self.phase = Phase::Done;
        // Off the contract there is nothing to explain: `completion` says so.
        let Ok((leaf, scores)) = script.rule.decide(&script.answers, &self.logs) else {
            return;
        };
        self.verdict = Some((leaf, scores));
        if script.form == Form::Rationale {
            let rest = &script.tree.path(leaf)[script.trunk.len()..];
            self.usage.answer += rest.len();
            self.lanes[0].feed(rest);
            self.phase = Phase::Rationale;
        }
    }

    fn segments(&self) -> Vec<Segment> {
        segments(&self.script.tokenizer, &self.written)
    }
}

impl Lane {
    fn new(seq: Seq, position: usize) -> Self {
        Self { seq, position, queue: Vec::new(), fed: 0, wanted: 0, rows: Vec::new(), branch: Branch::default() }
    }

    /// A lane that goes down a branch, of whose path so many tokens are in its sequence.
    fn on(seq: Seq, position: usize, branch: Branch, there: usize) -> Self {
        let queue = branch.path[there..].to_vec();
        Self { wanted: branch.scored - there, queue, branch, ..Self::new(seq, position) }
    }

    /// Whether all of its tokens are decoded.
    fn over(&self) -> bool {
        self.fed == self.queue.len()
    }

    /// Queues tokens behind what is not fed yet, and asks for the logits of the last one.
    fn feed(&mut self, tokens: &[Token]) {
        self.queue.drain(..self.fed);
        self.fed = 0;
        self.queue.extend_from_slice(tokens);
        self.wanted = self.queue.len().saturating_sub(1);
    }
}

/// The logarithm of the probability of each way on from a node.
fn edge_logs(logits: &[f32], script: &Script, node: NodeId) -> Result<Vec<f64>, Fault> {
    let total = log_sum_exp(logits)?;
    let log = |token: Token| f64::from(logits[token.0 as usize]) - total;
    let ends = [Control::Return, Control::End].map(|control| script.tokenizer.control(control));
    Ok(script
        .tree
        .edges(node)
        .iter()
        .map(|edge| match edge.step {
            Step::Token(token) => log(token),
            Step::Stop => ends.map(log).map(f64::exp).iter().sum::<f64>().ln(),
        })
        .collect())
}

fn judgement(answer: &Answer, scores: Option<Scores>, rationale: Option<String>) -> Judgement {
    Judgement {
        verdict: answer.verdict,
        label: answer.label.clone(),
        category: answer.category.clone(),
        scores,
        rationale: rationale.filter(|text| !text.is_empty()),
        repaired: false,
    }
}

/// Tokens as the model wrote them, as segments. Control tokens that harmony does not know are kept as text, which no
/// header or body that counts can hold.
fn segments(tokenizer: &Tokenizer, tokens: &[Token]) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut bytes = Vec::new();
    for &token in tokens {
        match tokenizer.control_name(token).and_then(Control::from_name) {
            Some(control) => {
                flush(&mut segments, &mut bytes);
                segments.push(Segment::Control(control));
            }
            None => bytes.extend_from_slice(tokenizer.bytes(token)),
        }
    }
    flush(&mut segments, &mut bytes);
    segments
}

fn flush(segments: &mut Vec<Segment>, bytes: &mut Vec<u8>) {
    if !bytes.is_empty() {
        segments.push(Segment::Text(String::from_utf8_lossy(bytes).into_owned()));
        bytes.clear();
    }
}
