//! The parser of a completion: the text that a model writes freely after `<|start|>assistant`.
//!
//! The one idea: a verdict is read from a well-formed `final` body or not at all. Every malformed completion gives a
//! reason, [`NoFinal`]; prose is never searched. The room `verdict` reads the body itself.

use super::{Control, Segment};

/// A parsed completion: its `final` body, and the analysis before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalMessage {
    /// The body of the `final` message.
    pub body: String,
    /// The bodies of all `analysis` messages, separated by line breaks.
    pub analysis: String,
    /// True if the body was in the header, without a `<|message|>` before it.
    pub repaired: bool,
}

/// The reason why a completion has no usable `final` body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoFinal {
    /// The completion is well-formed and has no `final` message.
    #[error("the reply has no final message")]
    Missing,
    /// The completion stopped before its end.
    #[error("the reply was cut off")]
    Truncated,
    /// Two `final` messages differ.
    #[error("two final messages disagree")]
    Conflict,
    /// The completion is not harmony.
    #[error("the reply is malformed: {0}")]
    Malformed(&'static str),
}

/// Parses a completion.
///
/// # Errors
///
/// [`NoFinal`] if the completion has no well-formed `final` body, or two that differ.
pub fn parse(completion: &[Segment]) -> Result<FinalMessage, NoFinal> {
    let mut rest = completion;
    let mut finals: Vec<(String, bool)> = Vec::new();
    let mut analysis = String::new();
    loop {
        let message = Message::read(&mut rest)?;
        match (message.channel.as_str(), message.recipient) {
            ("final", false) => finals.push((message.body, message.repaired)),
            ("analysis", _) => {
                if !analysis.is_empty() {
                    analysis.push('\n');
                }
                analysis.push_str(&message.body);
            }
            _ => {}
        }
        if !message.ended {
            return Err(NoFinal::Truncated);
        }
        match rest {
            [] => break,
            [Segment::Control(Control::Start), Segment::Text(role), after @ ..] if role.trim() == "assistant" => {
                rest = after;
            }
            [Segment::Control(Control::Start), ..] => {
                return Err(NoFinal::Malformed("unknown role"));
            }
            _ => return Err(NoFinal::Malformed("a message without its start")),
        }
    }
    let (body, repaired) = finals.pop().ok_or(NoFinal::Missing)?;
    // A model that repeats itself still has one answer.
    if finals.iter().any(|(other, _)| *other != body) {
        return Err(NoFinal::Conflict);
    }
    Ok(FinalMessage { body, analysis, repaired })
}

/// A message, header and body.
struct Message {
    /// Empty if the header has no channel.
    channel: String,
    recipient: bool,
    body: String,
    repaired: bool,
    ended: bool,
}

impl Message {
    /// Reads one message from the front, from behind its role to behind its stop token.
    fn read(rest: &mut &[Segment]) -> Result<Self, NoFinal> {
        let header_end = rest
            .iter()
            .position(|segment| stops(segment) || *segment == Segment::Control(Control::Message))
            .ok_or(NoFinal::Missing)?;
        let (header, after) = (&rest[..header_end], &rest[header_end + 1..]);
        let (mut message, spare) = Self::header(header)?;
        if stops(&rest[header_end]) {
            // The one case that the reference parser repairs, too: `<|channel|>final 1<|return|>`.
            if message.channel != "final" || spare.is_empty() {
                return Err(NoFinal::Missing);
            }
            *rest = after;
            return Ok(Self { body: spare, repaired: true, ended: true, ..message });
        }
        if spare.contains(char::is_whitespace) {
            return Err(NoFinal::Malformed("unknown words in a header"));
        }
        let body_end = after.iter().position(stops).unwrap_or(after.len());
        for segment in &after[..body_end] {
            match segment {
                Segment::Text(text) => message.body.push_str(text),
                Segment::Control(_) => {
                    return Err(NoFinal::Malformed("a control token inside a message"));
                }
            }
        }
        message.ended = body_end < after.len();
        *rest = &after[(body_end + 1).min(after.len())..];
        Ok(message)
    }

    /// Reads a header: the last `<|channel|>` names the channel. Also returns the words without a place: a content type,
    /// or a body that lost its `<|message|>`.
    fn header(header: &[Segment]) -> Result<(Self, String), NoFinal> {
        let mut message =
            Self { channel: String::new(), recipient: false, body: String::new(), repaired: false, ended: false };
        let mut spare = String::new();
        let mut segments = header.iter().peekable();
        if let Some(Segment::Text(words)) = segments.peek() {
            if !words.split_whitespace().all(|word| word.starts_with("to=")) {
                return Err(NoFinal::Missing);
            }
            message.recipient = !words.trim().is_empty();
            segments.next();
        }
        while let Some(segment) = segments.next() {
            let text = match segments.next_if(|next| matches!(next, Segment::Text(_))) {
                Some(Segment::Text(text)) => text.as_str(),
                _ => "",
            };
            match segment {
                Segment::Control(Control::Channel) => {
                    let (channel, more) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
                    if channel.is_empty() {
                        return Err(NoFinal::Malformed("a channel without a name"));
                    }
                    channel.clone_into(&mut message.channel);
                    let more = more.trim();
                    message.recipient |= more.starts_with("to=");
                    more.clone_into(&mut spare);
                }
                // `<|constrain|>` announces a content type, `json`, which is not needed.
                Segment::Control(Control::Constrain) => {}
                _ => return Err(NoFinal::Malformed("a control token inside a header")),
            }
        }
        Ok((message, spare))
    }
}

fn stops(segment: &Segment) -> bool {
    matches!(segment, Segment::Control(Control::End | Control::Return | Control::Call))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the segments of a text that spells its control tokens.
    fn segments(text: &str) -> Vec<Segment> {
        let mut rest = text;
        let mut segments = Vec::new();
        while !rest.is_empty() {
            let next = Control::ALL.iter().filter_map(|control| Some((rest.find(control.name())?, *control))).min();
            let (text, control) = next.map_or((rest.len(), None), |(at, control)| (at, Some(control)));
            if text > 0 {
                segments.push(Segment::Text(rest[..text].to_owned()));
            }
            rest = &rest[text..];
            if let Some(control) = control {
                segments.push(Segment::Control(control));
                rest = &rest[control.name().len()..];
            }
        }
        segments
    }

    #[track_caller]
    fn check(reply: &str, expected: Result<&str, NoFinal>) {
        assert_eq!(parse(&segments(reply)).map(|reply| reply.body), expected.map(str::to_owned), "{reply}");
    }

    #[test]
    fn a_well_formed_reply_is_its_final_body() {
        check(
            "<|channel|>analysis<|message|>r<|end|><|start|>assistant<|channel|>final<|message|>1<|return|>",
            Ok("1"),
        );
        check("<|channel|>final<|message|>1<|end|>", Ok("1"));
        check("<|channel|>final <|constrain|>json<|message|>{}<|return|>", Ok("{}"));
        check("<|channel|>final<|constrain|>json<|message|>{}<|return|>", Ok("{}"));
        check("<|channel|>final json<|message|>{}<|return|>", Ok("{}"));
        let twice = "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>analysis<|message|>b<|end|>\
                     <|start|>assistant<|channel|>final<|message|>0<|return|>";
        assert_eq!(
            parse(&segments(twice)),
            Ok(FinalMessage { body: "0".into(), analysis: "a\nb".into(), repaired: false })
        );
    }

    #[test]
    fn a_doubled_channel_counts_as_the_last() {
        check(
            "<|channel|>commentary<|channel|>analysis<|message|>r<|end|><|start|>assistant<|channel|>final<|message|>1<|return|>",
            Ok("1"),
        );
    }

    #[test]
    fn a_body_that_lost_its_message_token_is_repaired_and_says_so() {
        let reply = parse(&segments("<|channel|>final {\"violation\":1}<|return|>")).unwrap();
        assert_eq!((reply.body.as_str(), reply.repaired), ("{\"violation\":1}", true));
    }

    #[test]
    fn every_malformed_reply_has_a_stated_outcome() {
        for missing in [
            "",
            "1",
            "<|channel|>analysis",
            "<|message|>1<|return|>",
            "<|channel|>?? <|message|>r<|end|>",
            "<|channel|>analysis<|message|>r<|return|>",
            "<|channel|>final<|return|>",
            " to=functions.x<|channel|>final<|message|>1<|return|>",
        ] {
            check(missing, Err(NoFinal::Missing));
        }
        check("<|channel|>analysis<|message|>truncated reasoning", Err(NoFinal::Truncated));
        check("<|channel|>final<|message|>1", Err(NoFinal::Truncated));
        for malformed in [
            "<|channel|><|message|>r<|end|>",
            "<|channel|>analysis<|message|>r<|end|>assistant<|channel|>final<|message|>1<|return|>",
            "<|channel|>analysis<|message|>r<|end|><|start|>assistantassistant<|channel|>final<|message|>1<|return|>",
            "<|channel|>analysis<|message|>r<|end|><|start|><|start|>assistant<|channel|>final<|message|>1<|return|>",
            "<|channel|>final hello world more<|message|>x<|return|>",
            "<|channel|>final<|message|>1<|channel|>2<|return|>",
        ] {
            assert!(matches!(parse(&segments(malformed)), Err(NoFinal::Malformed(_))), "{malformed}");
        }
    }

    #[test]
    fn two_finals_must_agree() {
        check("<|channel|>final<|message|>1<|end|><|start|>assistant<|channel|>final<|message|>1<|return|>", Ok("1"));
        check(
            "<|channel|>final<|message|>1<|end|><|start|>assistant<|channel|>final<|message|>0<|return|>",
            Err(NoFinal::Conflict),
        );
    }

    /// Compares with the reference parser on the same completions: both read the same final message, or both fail.
    #[test]
    fn the_reference_parser_agrees() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/harmony_parse.json")).unwrap();
        for vector in vectors.as_array().unwrap() {
            let text = vector["text"].as_str().unwrap();
            let finals: Vec<&str> = vector["lenient"].as_array().map_or_else(Vec::new, |messages| {
                messages
                    .iter()
                    .filter(|message| message[1] == "final")
                    .filter_map(|message| message[4].as_str())
                    .collect()
            });
            let ours = parse(&segments(text)).map(|reply| reply.body).ok();
            assert_eq!(ours.as_deref(), finals.last().copied(), "{text}");
        }
    }
}
