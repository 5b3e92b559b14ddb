//! Text patterns with `*`, `?` and policy variables, compiled once.
//! Knows nothing of ARNs, operators or keys.

use std::borrow::Cow;

use super::context::Facts;
use super::variable::{Trouble, Variable};

/// What is special in a pattern's text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Syntax {
    pub(super) wildcards: bool,
    /// Only documents of version 2012-10-17 have variables.
    pub(super) variables: bool,
}

#[derive(Debug)]
pub(super) enum Pattern {
    Any,
    Exact(Box<str>),
    Prefix(Box<str>),
    Pieces(Box<[Piece]>),
}

#[derive(Debug)]
pub(super) enum Piece {
    Text(Box<str>),
    OneCharacter,
    AnyRun,
    Variable(Box<Variable>),
}

#[derive(Clone, Copy)]
enum Token<'a> {
    Text(&'a str),
    OneCharacter,
    AnyRun,
}

impl Pattern {
    pub(super) fn compile(text: &str, syntax: Syntax) -> Self {
        let pieces = Compiler::run(text, syntax);
        match pieces.as_slice() {
            [] => Self::Exact("".into()),
            [Piece::Text(text)] => Self::Exact(text.clone()),
            [Piece::AnyRun] => Self::Any,
            [Piece::Text(text), Piece::AnyRun] => Self::Prefix(text.clone()),
            _ => Self::Pieces(pieces.into()),
        }
    }

    pub(super) fn matches(&self, text: &str, facts: &dyn Facts) -> Result<bool, Trouble> {
        match self {
            Self::Any => Ok(true),
            Self::Exact(exact) => Ok(**exact == *text),
            Self::Prefix(prefix) => Ok(text.starts_with(&**prefix)),
            Self::Pieces(pieces) if self.has_variables() => {
                let resolved = pieces.iter().map(|piece| piece.resolve(facts)).collect::<Result<Vec<_>, _>>()?;
                Ok(glob(resolved.len(), |at| resolved.get(at).map_or(Token::AnyRun, Resolved::token), text))
            }
            Self::Pieces(pieces) => {
                Ok(glob(pieces.len(), |at| pieces.get(at).map_or(Token::AnyRun, Piece::token), text))
            }
        }
    }

    /// The text of a pattern that was compiled without wildcards.
    pub(super) fn text<'a>(&'a self, facts: &'a dyn Facts) -> Result<Cow<'a, str>, Trouble> {
        let pieces = match self {
            Self::Any => return Ok(Cow::Borrowed("*")),
            Self::Exact(text) | Self::Prefix(text) => return Ok(Cow::Borrowed(text)),
            Self::Pieces(pieces) => pieces,
        };
        let mut whole = String::new();
        for piece in pieces {
            if let Token::Text(text) = piece.resolve(facts)?.token() {
                whole.push_str(text);
            }
        }
        Ok(Cow::Owned(whole))
    }

    pub(super) fn has_variables(&self) -> bool {
        matches!(self, Self::Pieces(pieces) if pieces.iter().any(|piece| matches!(piece, Piece::Variable(_))))
    }

    pub(super) fn has_wildcards(&self) -> bool {
        match self {
            Self::Any | Self::Prefix(_) => true,
            Self::Exact(_) => false,
            Self::Pieces(pieces) => pieces.iter().any(|piece| matches!(piece, Piece::OneCharacter | Piece::AnyRun)),
        }
    }
}

/// Whether an action's pattern (`kms:Re*`, case ignored) means `action`.
pub(crate) fn action_matches(pattern: &str, action: &str) -> bool {
    let syntax = Syntax { wildcards: true, variables: false };
    let nothing = super::context::FactMap::default();
    Pattern::compile(&pattern.to_ascii_lowercase(), syntax).matches(&action.to_ascii_lowercase(), &nothing) == Ok(true)
}

enum Resolved<'a> {
    Token(Token<'a>),
    Text(Cow<'a, str>),
}

impl Resolved<'_> {
    fn token(&self) -> Token<'_> {
        match self {
            Self::Token(token) => *token,
            Self::Text(text) => Token::Text(text),
        }
    }
}

impl Piece {
    /// A variable's text stands for itself: its `*` is no wildcard.
    fn resolve<'a>(&'a self, facts: &'a dyn Facts) -> Result<Resolved<'a>, Trouble> {
        match self {
            Self::Variable(variable) => variable.resolve(facts).map(Resolved::Text),
            other => Ok(Resolved::Token(other.token())),
        }
    }

    fn token(&self) -> Token<'_> {
        match self {
            Self::Text(text) => Token::Text(text),
            Self::OneCharacter => Token::OneCharacter,
            Self::AnyRun => Token::AnyRun,
            // INVARIANT: patterns with variables are matched through `resolve`.
            Self::Variable(_) => Token::Text(""),
        }
    }
}

struct Compiler {
    pieces: Vec<Piece>,
    text: String,
}

impl Compiler {
    fn run(text: &str, syntax: Syntax) -> Vec<Piece> {
        let mut compiler = Self { pieces: Vec::new(), text: String::new() };
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            if let Some((inner, after)) = syntax.variables.then(|| braced(rest)).flatten() {
                compiler.braces(inner);
                rest = after;
                continue;
            }
            match character {
                '*' if syntax.wildcards => compiler.push(Piece::AnyRun),
                '?' if syntax.wildcards => compiler.push(Piece::OneCharacter),
                other => compiler.text.push(other),
            }
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
        compiler.flush();
        compiler.pieces
    }

    fn braces(&mut self, inner: &str) {
        match inner {
            "*" | "?" | "$" => self.text.push_str(inner),
            _ => self.push(Piece::Variable(Box::new(Variable::parse(inner)))),
        }
    }

    fn push(&mut self, piece: Piece) {
        self.flush();
        if !matches!((&piece, self.pieces.last()), (Piece::AnyRun, Some(Piece::AnyRun))) {
            self.pieces.push(piece);
        }
    }

    fn flush(&mut self) {
        if !self.text.is_empty() {
            self.pieces.push(Piece::Text(std::mem::take(&mut self.text).into()));
        }
    }
}

/// The inside of a leading `${...}` and what follows it. Without its closing brace it is plain text.
pub(super) fn braced(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix("${")?.split_once('}')
}

/// Greedy matching that backs up to the last `*` only, which is enough for globs: no exponential case.
fn glob<'p>(count: usize, token: impl Fn(usize) -> Token<'p>, text: &str) -> bool {
    let (mut next, mut rest) = (0, text);
    let mut star: Option<(usize, &str)> = None;
    loop {
        let advanced = match (next < count).then(|| token(next)) {
            None if rest.is_empty() => return true,
            None => None,
            Some(Token::AnyRun) if next + 1 == count => return true,
            Some(Token::AnyRun) => {
                star = Some((next + 1, rest));
                Some(rest)
            }
            Some(Token::OneCharacter) => after_character(rest),
            Some(Token::Text(text)) => rest.strip_prefix(text),
        };
        if let Some(after) = advanced {
            (next, rest) = (next + 1, after);
            continue;
        }
        let Some(shorter) = star.and_then(|(at, from)| retry_from(token(at), from)) else { return false };
        if let Some((at, from)) = &mut star {
            (next, rest) = (*at, shorter);
            *from = shorter;
        }
    }
}

/// Where the piece after a `*` may match next: past the first character, at the next place where its text occurs.
fn retry_from<'t>(piece: Token<'_>, from: &'t str) -> Option<&'t str> {
    let shorter = after_character(from)?;
    match piece {
        Token::Text(text) => shorter.find(text).and_then(|at| shorter.get(at..)),
        Token::OneCharacter | Token::AnyRun => Some(shorter),
    }
}

fn after_character(text: &str) -> Option<&str> {
    let mut characters = text.chars();
    characters.next().map(|_| characters.as_str())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::super::context::{FactMap, Value};
    use super::*;
    use proptest::prelude::*;

    const LIKE: Syntax = Syntax { wildcards: true, variables: true };

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::compile(pattern, LIKE).matches(text, &FactMap::default()).unwrap()
    }

    fn oracle(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) if oracle(rest, text) => true,
            (Some(('*', _)), Some((_, shorter))) => oracle(pattern, shorter),
            (Some(('?', rest)), Some((_, shorter))) => oracle(rest, shorter),
            (Some((expected, rest)), Some((actual, shorter))) => expected == actual && oracle(rest, shorter),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_naive_matcher(pattern in "[ab?*é]{0,9}", text in "[abé]{0,12}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), oracle(&letters(&pattern), &letters(&text)));
        }

        #[test]
        fn compiles_any_text(pattern in "\\PC{0,40}", text in "\\PC{0,20}") {
            let compiled = Pattern::compile(&pattern, LIKE);
            let _ = compiled.matches(&text, &FactMap::default());
        }
    }

    #[test]
    fn takes_linear_time_on_a_hostile_pattern() {
        let text = "a".repeat(20_000);
        assert!(!matches(&format!("{}b", "a*".repeat(5_000)), &text));
    }

    #[test]
    fn escapes_stand_for_themselves() {
        for (pattern, text, expected) in [
            ("a${*}c", "a*c", true),
            ("a${*}c", "abc", false),
            ("${?}", "?", true),
            ("${?}", "x", false),
            ("${$}{x}", "${x}", true),
            ("a${", "a${", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn substituted_wildcards_are_literal() {
        let mut facts = FactMap::default();
        facts.insert("aws:username", Value::one("a*"));
        let pattern = Pattern::compile("home/${aws:username}/*", LIKE);
        assert_eq!(pattern.matches("home/a*/x", &facts), Ok(true));
        assert_eq!(pattern.matches("home/abc/x", &facts), Ok(false));
        assert_eq!(pattern.matches("home/a*/x", &FactMap::default()), Err(Trouble::Unresolved));
    }
}
