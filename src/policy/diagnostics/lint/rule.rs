//! The table of the linter's rules.

/// Declares the rules, each with its name in reports.
macro_rules! rules {
    ($($(#[$about:meta])* $rule:ident = $name:literal,)*) => {
        /// A rule of the linter. A fault that keeps the policy from being read counts as a rule, too.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(in crate::policy) enum LintRule {
            $($(#[$about])* $rule,)*
        }

        impl LintRule {
            /// All rules, in the order of their names.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// Returns the name of the rule in reports: `code-gap`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }
        }
    };
}

rules! {
    /// The way to answer is stated only near the top.
    AnswerNotAtBottom = "answer-not-at-bottom",
    /// The way to answer is stated only near the end.
    AnswerNotAtTop = "answer-not-at-top",
    /// The numbers of the codes have a gap.
    CodeGap = "code-gap",
    /// A code begins with another code.
    CodePrefix = "code-prefix",
    /// Two examples have the same words and different answers.
    ContradictingExamples = "contradicting-examples",
    /// A text spells a control token of harmony.
    ControlToken = "control-token",
    /// A key occurs twice.
    DuplicateKey = "duplicate-key",
    /// A text asks for more or less reasoning.
    EffortWord = "effort-word",
    /// An example has no reason.
    ExampleWithoutWhy = "example-without-why",
    /// The policy has too few examples.
    FewExamples = "few-examples",
    /// A character is invisible to an editor.
    InvisibleCharacter = "invisible-character",
    /// A label begins with another label.
    LabelPrefix = "label-prefix",
    /// A label is not plain ASCII.
    LabelScript = "label-script",
    /// The labels contradict one another, or do not fit the categories.
    Labels = "labels",
    /// The policy is long, or too long for the context.
    Length = "length",
    /// A label consists of several words.
    LongLabel = "long-label",
    /// A rule has too many words.
    LongRule = "long-rule",
    /// The policy has more examples than help.
    ManyExamples = "many-examples",
    /// A required key is missing.
    MissingKey = "missing-key",
    /// No category is safe.
    NoAllowedCategory = "no-allowed-category",
    /// A plain text does not mention allowed content.
    NoAllowedSection = "no-allowed-section",
    /// The policy has no guidance for doubt.
    NoAmbiguity = "no-ambiguity",
    /// A plain text does not state its answers reliably.
    NoContract = "no-contract",
    /// The policy does not name the cases that people decide.
    NoEscalation = "no-escalation",
    /// A plain text does not forbid explanations.
    NoExplanationWording = "no-explanation-wording",
    /// The source is named without its license.
    NoLicence = "no-licence",
    /// No example is close to one of the other side.
    NoNearMiss = "no-near-miss",
    /// The policy has no order for several matching rules.
    NoPrecedence = "no-precedence",
    /// A violation has no severity.
    NoSeverity = "no-severity",
    /// All examples have the same verdict.
    OneSidedExamples = "one-sided-examples",
    /// A placeholder was not filled in.
    Placeholder = "placeholder",
    /// Two examples have the same words and the same answer.
    RepeatedExample = "repeated-example",
    /// Two criteria have the same words.
    RepeatedRule = "repeated-rule",
    /// A higher number is less severe than a lower one.
    SeverityOrder = "severity-order",
    /// The file is not YAML, or not UTF-8.
    Syntax = "syntax",
    /// A word depends on the date.
    TimeWord = "time-word",
    /// A plain text ends as a form to be filled in.
    TrailingAnswer = "trailing-answer",
    /// A plain text states two different sets of answers.
    TwoContracts = "two-contracts",
    /// A text has a mark such as `TODO`.
    Unfinished = "unfinished",
    /// A comment turns off a rule that does not exist, or cannot be read.
    UnknownAllow = "unknown-allow",
    /// A rule mentions a code that no category has.
    UnknownCode = "unknown-code",
    /// The schema does not have a key.
    UnknownKey = "unknown-key",
    /// A comment turns off a rule that finds nothing there.
    UnusedAllow = "unused-allow",
    /// No rule uses a defined term.
    UnusedDefinition = "unused-definition",
    /// A word leaves open when a rule applies.
    VagueWord = "vague-word",
    /// A value is not allowed in its place.
    Value = "value",
}

impl LintRule {
    /// Finds a rule by its name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|rule| rule.name() == name)
    }

    /// Reports whether a finding of the rule keeps the policy from being read.
    pub const fn is_fault(self) -> bool {
        matches!(
            self,
            Self::DuplicateKey
                | Self::Labels
                | Self::MissingKey
                | Self::NoContract
                | Self::Syntax
                | Self::TwoContracts
                | Self::UnknownKey
                | Self::Value
        )
    }
}
