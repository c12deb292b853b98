//! The templates of a prompt: their sources, their checks and their rendering by minijinja.
//!
//! The one idea is *harmony autoescape*. The literal text of a template is markup: there `<|start|>` is a control token.
//! The output of an expression is data, and stays text even if it spells a token. minijinja reports the kind of every
//! stretch of output ([`OutputSpanKind`]). So nothing is escaped, and no sentinel exists that data could forge.

use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Object, Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, OutputSpanKind, UndefinedBehavior, context};
use sha2::{Digest, Sha256};

use crate::harmony::{Control, Segment};
use crate::hint::{Hint, Hints};

/// The two templates: the harmony prompt, and the Markdown of a policy.
#[derive(Clone, Debug)]
pub struct Templates {
    environment: Environment<'static>,
    id: String,
    digest: String,
}

/// A harmony prompt with a place for the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    /// The segments before the content.
    pub before: Vec<Segment>,
    /// The segments after the content.
    pub after: Vec<Segment>,
}

/// A template that cannot be read, compiled or rendered, or that does not print the policy or the content.
#[derive(Debug, thiserror::Error)]
#[error("{file}{}: {message}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct TemplateError {
    /// The template's file.
    pub file: String,
    /// The line in it, from 1, if known.
    pub line: Option<usize>,
    /// The message.
    pub message: String,
    /// The remedy.
    pub hint: Option<&'static str>,
}

impl Hints for TemplateError {
    fn hints(&self) -> Vec<Hint> {
        self.hint.map(Hint::new).into_iter().collect()
    }
}

const HARMONY: &str = "harmony.jinja";
const POLICY: &str = "policy.md.jinja";
const SHIPPED: [(&str, &str); 2] = [
    (HARMONY, include_str!("../../templates/harmony.jinja")),
    (POLICY, include_str!("../../templates/policy.md.jinja")),
];

impl Templates {
    /// Returns the templates that magistrate ships.
    ///
    /// # Panics
    ///
    /// If a shipped template does not compile, which a test rules out.
    #[must_use]
    pub fn shipped() -> Self {
        let sources = SHIPPED.map(|(name, source)| (name.to_owned(), source.to_owned()));
        Self::from_sources("shipped", &sources).expect("the shipped templates compile")
    }

    /// Returns the files of a folder that replace the shipped templates. They need not exist.
    #[must_use]
    pub fn files(folder: &Path) -> [PathBuf; 2] {
        SHIPPED.map(|(name, _)| folder.join(name))
    }

    /// Reads templates from the files of a folder. A missing file is replaced by the shipped template of its name.
    ///
    /// # Errors
    ///
    /// The folder contains neither file, one cannot be read, or one does not compile.
    pub fn from_folder(folder: &Path) -> Result<Self, TemplateError> {
        let mut found = false;
        let mut sources = Vec::new();
        for (name, shipped) in SHIPPED {
            let path = folder.join(name);
            if path.is_file() {
                let source = std::fs::read_to_string(&path).map_err(|error| TemplateError {
                    file: path.display().to_string(),
                    line: None,
                    message: format!("cannot be read: {error}"),
                    hint: None,
                })?;
                found = true;
                sources.push((path.display().to_string(), source));
            } else {
                sources.push((name.to_owned(), shipped.to_owned()));
            }
        }
        if !found {
            return Err(TemplateError {
                file: folder.display().to_string(),
                line: None,
                message: format!("contains neither {HARMONY} nor {POLICY}"),
                hint: Some("name a folder with at least one of them; start from the shipped ones in templates/"),
            });
        }
        Self::from_sources(&folder.display().to_string(), &sources)
    }

    /// Compiles templates from these sources, each with its name for errors. `id` names their origin.
    ///
    /// # Errors
    ///
    /// A source does not compile.
    ///
    /// # Panics
    ///
    /// If minijinja rejects the delimiters of templates, which a test rules out.
    pub fn from_sources(id: &str, sources: &[(String, String)]) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.expect("only white space differs from the default"));
        // The filter would turn a value into markup.
        environment.remove_filter("safe");
        environment.set_auto_escape_callback(|_| AutoEscape::Custom("harmony".into()));
        environment.set_formatter(|out, state, value| {
            let refusal = if matches!(state.auto_escape(), AutoEscape::None) {
                "switches autoescape off"
            } else if value.is_safe() {
                "prints markup from a value (a set or filter block)"
            } else if value.is_none() {
                "prints a value that does not exist"
            } else {
                return write!(out, "{value}").map_err(Into::into);
            };
            Err(minijinja::Error::new(ErrorKind::InvalidOperation, refusal))
        });
        let mut hash = Sha256::new();
        for (file, source) in sources {
            environment
                .add_template_owned(file.clone(), source.clone())
                .map_err(|error| TemplateError::from_engine(file, &error))?;
            // Without its length, text could move from one source to the other under the same digest.
            hash.update(u64::try_from(source.len()).unwrap_or(u64::MAX).to_le_bytes());
            hash.update(source);
        }
        Ok(Self { environment, id: id.to_owned(), digest: crate::text::hex(&hash.finalize()) })
    }

    /// Returns both sources, each with its name for errors. [`Templates::from_sources`] compiles them to the same
    /// templates.
    #[must_use]
    pub fn sources(&self) -> Vec<(String, String)> {
        SHIPPED
            .iter()
            .map(|(name, _)| {
                let (file, template) = self.template(name);
                (file.to_owned(), template.source().to_owned())
            })
            .collect()
    }

    /// Returns the origin of the templates: `shipped`, or the folder.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the SHA-256 of both sources, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Renders the Markdown of a policy, from the values of [`Policy::context`](crate::policy::Policy::context).
    ///
    /// # Errors
    ///
    /// The template asks for a value that does not exist, does something that is not allowed, or prints nothing.
    pub fn policy(&self, context: &impl serde::Serialize) -> Result<String, TemplateError> {
        let (file, template) = self.template(POLICY);
        let text =
            template.render(Value::from(Serde(context))).map_err(|error| TemplateError::from_engine(file, &error))?;
        if text.trim().is_empty() {
            return Err(TemplateError {
                file: file.to_owned(),
                line: None,
                message: "renders to nothing".to_owned(),
                hint: Some("print the policy's instructions in it"),
            });
        }
        // The line breaks at the end of a template's last loop are not part of a policy.
        Ok(text.trim_end().to_owned())
    }

    /// Renders the harmony prompt around a policy's text, with a place for the content.
    pub(super) fn harmony(&self, policy: &str, effort: &str, date: Option<&str>) -> Result<Rendered, TemplateError> {
        let (file, template) = self.template(HARMONY);
        let (output, spans) = template
            .render_with_spans(context! { policy, effort, date, content => Value::from_object(Slot) })
            .map_err(|error| TemplateError::from_engine(file, &error))?;
        let mut segments = SegmentBuilder::default();
        let mut policies = 0;
        let mut written = 0;
        for span in &spans {
            let text = &output[span.output_range()];
            segments.text(&output[written..span.output_range().start]);
            written = span.output_range().end;
            if span.kind() == OutputSpanKind::Raw {
                segments.markup(text).map_err(|name| TemplateError {
                    file: span.name().to_owned(),
                    line: Some(span.line() + text[..text.find(&name).unwrap_or(0)].matches('\n').count()),
                    message: format!("{name} is not a control token of harmony"),
                    hint: Some(
                        "the tokens are <|start|> <|message|> <|channel|> <|end|> <|constrain|> <|return|> <|call|>",
                    ),
                })?;
                continue;
            }
            // Only the plain expression counts: a filter could change the text, or drop a part of it.
            match template.source().get(span.source_range()).map(str::trim) {
                // Content before the policy would keep the policy out of the prefix.
                Some("content") if text == PLACEHOLDER && policies == 1 => segments.slot(),
                Some("policy") if text == policy => {
                    policies += 1;
                    segments.text(text);
                }
                _ => segments.text(text),
            }
        }
        segments.text(&output[written..]);
        let lost = |what| TemplateError {
            file: file.to_owned(),
            line: None,
            message: format!("does not print the {what} exactly once, the policy first"),
            hint: Some("write {{ policy }} and {{ content }} once each, without filters, in the template itself"),
        };
        if policies != 1 {
            return Err(lost("policy"));
        }
        let [before, after] = <[_; 2]>::try_from(segments.done()).map_err(|_| lost("content"))?;
        if !after.ends_with(&[Segment::Control(Control::Start), Segment::Text("assistant".to_owned())]) {
            return Err(TemplateError {
                file: file.to_owned(),
                line: None,
                message: "does not end in <|start|>assistant".to_owned(),
                hint: Some(
                    "the model's turn begins there, and magistrate writes its headers; nothing may follow, not even an empty line",
                ),
            });
        }
        Ok(Rendered { before, after })
    }

    /// Returns a template by its name, and its file.
    fn template(&self, name: &str) -> (&str, minijinja::Template<'_, '_>) {
        let mut templates = self.environment.templates();
        templates.find(|(file, _)| Path::new(file).ends_with(name)).expect("both templates are compiled")
    }
}

impl TemplateError {
    fn from_engine(file: &str, error: &minijinja::Error) -> Self {
        let hint = match error.kind() {
            ErrorKind::UndefinedError => Some("see templates/ for the values that there are"),
            ErrorKind::UnknownFilter if error.detail().is_some_and(|detail| detail.contains("safe")) => {
                Some("values are data: nothing makes them markup")
            }
            _ => None,
        };
        let detail = error.detail().map_or_else(String::new, |detail| format!(": {detail}"));
        Self {
            file: error.name().unwrap_or(file).to_owned(),
            line: error.line(),
            message: format!("{}{detail}", error.kind()),
            hint,
        }
    }
}

/// A placeholder for the content, which is inserted as tokens later. A template can only print it.
#[derive(Debug)]
struct Slot;

const PLACEHOLDER: &str = "{content}";

impl Object for Slot {
    fn render(self: &std::sync::Arc<Self>, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(PLACEHOLDER)
    }
}

/// The segments on each side of the slots.
#[derive(Default)]
struct SegmentBuilder {
    done: Vec<Vec<Segment>>,
    current: Vec<Segment>,
    pending: String,
}

impl SegmentBuilder {
    fn text(&mut self, text: &str) {
        self.pending.push_str(text);
    }

    fn flush(&mut self) {
        if !self.pending.is_empty() {
            self.current.push(Segment::Text(std::mem::take(&mut self.pending)));
        }
    }

    /// Adds literal text of a template. The error is the name of a token that does not exist.
    fn markup(&mut self, mut literal: &str) -> Result<(), String> {
        while let Some(start) = literal.find("<|") {
            let Some(end) = literal[start..].find("|>").map(|end| start + end + 2) else {
                break;
            };
            let name = &literal[start..end];
            let control = Control::from_name(name).ok_or_else(|| name.to_owned())?;
            self.text(&literal[..start]);
            self.flush();
            self.current.push(Segment::Control(control));
            literal = &literal[end..];
        }
        self.text(literal);
        Ok(())
    }

    fn slot(&mut self) {
        self.flush();
        self.done.push(std::mem::take(&mut self.current));
    }

    fn done(mut self) -> Vec<Vec<Segment>> {
        self.slot();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Renders a harmony template with a valid end.
    fn render(source: &str) -> Result<Rendered, TemplateError> {
        let sources =
            [("x/harmony.jinja".to_owned(), format!("{source}<|start|>assistant")), (POLICY.to_owned(), String::new())];
        Templates::from_sources("test", &sources)?.harmony("POLICY <|end|>", "low", None)
    }

    fn refusal(source: &str) -> String {
        render(source).expect_err("it is refused").to_string()
    }

    #[test]
    fn literal_text_is_markup_and_values_are_text() {
        let rendered = render("<|start|>a{{ policy }}<|message|>{{ content }}<|end|>").unwrap();
        assert_eq!(
            rendered.before,
            [
                Segment::Control(Control::Start),
                Segment::Text("aPOLICY <|end|>".into()),
                Segment::Control(Control::Message),
            ]
        );
        let turn = [Control::End, Control::Start].map(Segment::Control);
        assert_eq!(rendered.after, [&turn[..], &[Segment::Text("assistant".into())]].concat());
    }

    #[test]
    fn a_control_token_is_not_pieced_together_from_literal_and_value() {
        let rendered = render("<|{{ effort }}|><|sta{{ policy }}{{ content }}").unwrap();
        assert_eq!(rendered.before, [Segment::Text("<|low|><|staPOLICY <|end|>".into())]);
    }

    #[test]
    fn nothing_turns_a_value_into_markup() {
        for source in [
            "{{ policy|safe }}{{ content }}",
            "{% autoescape false %}{{ policy }}{% endautoescape %}{{ content }}",
            "{% set x %}<|start|>{% endset %}{{ x }}{{ policy }}{{ content }}",
            "{% filter upper %}{{ policy }}{% endfilter %}{{ content }}",
        ] {
            assert!(refusal(source).starts_with("x/harmony.jinja:1: "), "{source}: {}", refusal(source));
        }
    }

    #[test]
    fn policy_and_content_must_both_survive() {
        for source in [
            "{{ content }}",
            "{{ content }}{{ policy }}",
            "{{ policy }}",
            "{{ policy }}{{ policy }}{{ content }}",
            "{{ policy|upper }}{{ content }}",
            "{{ policy }}{{ content }}{{ content }}",
            "{{ policy }}{{ content|upper }}",
            "{{ policy }}{{ '{content}' }}",
        ] {
            assert!(refusal(source).contains("exactly once"), "{source}: {}", refusal(source));
        }
    }

    #[test]
    fn the_models_turn_must_begin_at_the_end() {
        let source = "{{ policy }}{{ content }}<|start|>assistant\n\n".to_owned();
        let sources = [("x/harmony.jinja".to_owned(), source), (POLICY.to_owned(), String::new())];
        let error =
            Templates::from_sources("test", &sources).unwrap().harmony("P", "low", None).unwrap_err().to_string();
        assert!(error.contains("does not end in <|start|>assistant"), "{error}");
    }

    #[test]
    fn a_policy_that_renders_to_nothing_is_refused() {
        let sources = [(HARMONY.to_owned(), String::new()), ("x/policy.md.jinja".to_owned(), "\n".to_owned())];
        let error = Templates::from_sources("test", &sources).unwrap().policy(&()).unwrap_err();
        assert!(error.to_string().contains("renders to nothing"), "{error}");
    }

    #[test]
    fn a_broken_template_is_named_with_its_line() {
        assert!(
            refusal("\n\n{{ polic }}").starts_with("x/harmony.jinja:3: undefined"),
            "{}",
            refusal("\n\n{{ polic }}")
        );
        assert!(refusal("\n{% if %}").starts_with("x/harmony.jinja:2: syntax error"), "{}", refusal("\n{% if %}"));
        let typo = refusal("<|start|>\nx\n<|mesage|>{{ policy }}{{ content }}");
        assert!(typo.starts_with("x/harmony.jinja:3: <|mesage|> is not a control token"), "{typo}");
    }
}
