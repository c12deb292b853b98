//! The texts of one request on their way through the queue and the engine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use super::api_error::ApiError;
use super::call::Call;
use super::judges::{Answer, Job, JudgeOptions, Message};
use super::policies::Served;
use super::queue::Place;
use crate::content::Content;
use crate::engine::{Abandoned, EngineError};
use crate::label::records::Defect;
use crate::label::row::{Row, RowFields};

/// The time for a text of a batch, unless the request names a shorter one.
const PATIENCE: Duration = Duration::from_hours(24);

/// The question about each text: policies and settings.
#[derive(Clone, Debug)]
pub struct Question {
    /// The policies. Each text gets a row from each.
    pub policies: Vec<Arc<Served>>,
    /// The settings.
    pub options: Arc<JudgeOptions>,
    /// Puts the raw reasoning into rows.
    pub reasoning: bool,
    /// The fields of a row that are printed. All if `None`.
    pub fields: Option<Arc<RowFields>>,
    /// The longest time for the request. `None` for the server's own limit.
    pub deadline: Option<Duration>,
}

/// A text, or its defect.
pub type Text = Result<Content, Defect>;

/// The texts of a request that are being judged, in order.
pub struct Judging<'call> {
    call: &'call Call,
    waiting: VecDeque<Waiting>,
    abandoned: Abandoned,
    /// The end of the time for all texts. `None` for a stream or a batch, in which each text has a time of its own.
    ends: Option<tokio::time::Instant>,
    /// The time for a text of its own.
    each: Duration,
    /// Verdicts that were asked for and have not come.
    open: usize,
    /// The reason why open ones will not come.
    reason: &'static str,
    begun: bool,
}

/// A text in flight.
struct Waiting {
    question: Arc<Question>,
    since: Instant,
    bytes: usize,
    /// The text, if it may go into the review queue.
    content: Option<Content>,
    ends: tokio::time::Instant,
    answers: VecDeque<oneshot::Receiver<Answer>>,
    rows: Vec<Row>,
}

impl Call {
    /// Judges texts by policies. Returns the rows of each text, one for each policy.
    ///
    /// # Errors
    ///
    /// The texts cannot be taken now, or the settings cannot be used. A text without a verdict is no error but a row.
    pub async fn judge(&self, question: &Arc<Question>, texts: Vec<Text>) -> Result<Vec<Vec<Row>>, ApiError> {
        let most = self.state.limits.max_texts;
        let asked = texts.len() * question.policies.len();
        if texts.len() > most {
            self.state.metrics.rejected("too_large", asked);
            let message = format!("{} texts are too many for one request: at most {most}", texts.len());
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message));
        }
        let mut judging = Judging::new(self, question.deadline);
        judging.open = asked;
        let mut rows = Vec::with_capacity(texts.len());
        for text in texts {
            if judging.is_full() {
                rows.extend(judging.next().await?);
            }
            judging.submit(question, text).await?;
        }
        while let Some(next) = judging.next().await? {
            rows.push(next);
        }
        Ok(rows)
    }
}

impl<'call> Judging<'call> {
    /// Returns a stream without texts yet. Its first text waits for its turn, too.
    #[must_use]
    pub fn stream(call: &'call Call) -> Self {
        let mut judging = Self::new(call, None);
        (judging.ends, judging.each, judging.begun) = (None, call.state.limits.request_timeout, true);
        judging
    }

    /// Returns a request without texts yet.
    #[must_use]
    pub fn new(call: &'call Call, deadline: Option<Duration>) -> Self {
        let longest = if call.is_patient { PATIENCE } else { call.state.limits.request_timeout };
        let asked = [deadline, call.timeout()].into_iter().flatten().min();
        let each = asked.map_or(longest, |asked| asked.min(longest));
        let ends = (!call.is_patient).then(|| tokio::time::Instant::now() + each);
        let (waiting, abandoned) = (VecDeque::new(), Abandoned::default());
        Self { call, waiting, abandoned, ends, each, open: 0, reason: "canceled", begun: false }
    }

    /// Reports whether as many texts are in flight as keep the engine busy.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= self.call.state.window()
    }

    /// Adds a text that [`Call::judge`] did not count.
    pub async fn push(&mut self, question: &Arc<Question>, text: Text) -> Result<(), ApiError> {
        self.open += question.policies.len();
        self.submit(question, text).await
    }

    /// Returns the rows of the first text in flight, once they are there. `None` if no text is in flight.
    ///
    /// Nothing is lost if the future is dropped before.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>, ApiError> {
        let result = loop {
            let Some(waiting) = self.waiting.front_mut() else { return Ok(None) };
            let Some(answer) = waiting.answers.front_mut() else { break Ok(()) };
            let row = match timeout_at(waiting.ends, answer).await {
                Err(_) => break Err(("deadline", late())),
                Ok(Err(_)) => {
                    self.call.state.engine_has_ended();
                    break Err(("fault", failed()));
                }
                Ok(Ok(Answer::Refused(message))) => {
                    break Err(("refused", ApiError::invalid("unsupported_parameter", message)));
                }
                Ok(Ok(Answer::Judged(provenance, judged))) => {
                    if matches!(judged.result, Err(EngineError::Stopped)) {
                        self.call.state.engine_has_ended();
                    }
                    provenance.row(&judged, waiting.question.reasoning)
                }
                Ok(Ok(Answer::Defect(provenance, defect))) => provenance.row_of_defect(&defect),
            };
            let row = Row { fields: waiting.question.fields.clone(), ..row };
            let served = &waiting.question.policies[waiting.rows.len()];
            self.call.record(served, &row, waiting.bytes, waiting.since.elapsed());
            if let Some((reviewing, content)) = self.call.reviewing().zip(waiting.content.as_ref()) {
                reviewing.take(served, &row, content, &waiting.question.options, &self.call.state.metrics);
            }
            self.open -= 1;
            waiting.answers.pop_front();
            waiting.rows.push(row);
        };
        let waiting = self.waiting.pop_front();
        match result {
            Ok(()) => Ok(waiting.map(|waiting| waiting.rows)),
            Err((reason, error)) => {
                self.reject(reason, waiting.map_or(0, |waiting| waiting.answers.len()));
                Err(error)
            }
        }
    }

    async fn submit(&mut self, question: &Arc<Question>, text: Text) -> Result<(), ApiError> {
        let state = &self.call.state;
        let bytes = text.as_ref().map_or(0, |content| content.text().len());
        let mut ends = self.ends.unwrap_or_else(|| tokio::time::Instant::now() + self.each);
        let mut answers = VecDeque::with_capacity(question.policies.len());
        for served in &question.policies {
            let place = match self.place(ends).await {
                Ok(place) => place,
                Err(error) => {
                    self.reject(error.code, question.policies.len());
                    return Err(error);
                }
            };
            let (reply, answer) = oneshot::channel();
            let (served, options) = (Arc::clone(served), Arc::clone(&question.options));
            let abandoned = self.abandoned.clone();
            let job = Job { served, options, content: text.clone(), abandoned, reply, place };
            // If nobody listens, the reply is dropped, which `next` notices.
            let _ = state.messages.send(Message::Job(Box::new(job)));
            answers.push_back(answer);
        }
        if self.call.is_patient {
            // The time in which it waited for a place does not count.
            ends = tokio::time::Instant::now() + self.each;
        }
        let (question, since) = (Arc::clone(question), Instant::now());
        let content = text.ok().filter(|_| self.call.reviewing().is_some());
        self.waiting.push_back(Waiting { question, since, bytes, content, ends, answers, rows: Vec::new() });
        Ok(())
    }

    /// Takes a place in the queue. The first of a request is refused if the queue is full; later ones wait for their turn.
    async fn place(&mut self, ends: tokio::time::Instant) -> Result<Place, ApiError> {
        let state = &self.call.state;
        if self.call.is_patient {
            return state.queue.wait_for_batch().await;
        }
        if self.begun {
            // Once a request was admitted, its later texts are taken although the server drains.
            return timeout_at(ends, state.queue.wait()).await.unwrap_or_else(|_| Err(late()));
        }
        state.takes_requests()?;
        let place = state.queue.take()?;
        self.begun = true;
        Ok(place)
    }

    /// Counts verdicts that will not come.
    fn reject(&mut self, reason: &'static str, verdicts: usize) {
        self.reason = reason;
        self.open -= verdicts;
        self.call.state.metrics.rejected(reason, verdicts);
    }
}

fn late() -> ApiError {
    ApiError::new(StatusCode::GATEWAY_TIMEOUT, "deadline", "the time for this request is over")
}

fn failed() -> ApiError {
    let message = "the engine has stopped, or the text made it fail";
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", message)
}

impl Drop for Judging<'_> {
    /// Cancels the texts that nobody waits for any more.
    fn drop(&mut self) {
        if self.open > 0 {
            self.abandoned.set();
            self.call.state.metrics.rejected(self.reason, self.open);
        }
    }
}
