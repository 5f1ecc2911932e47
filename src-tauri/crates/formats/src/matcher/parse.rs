//! Text to expressions.

use super::{Expression, Join, Node, Term, Vocabulary};

/// The longest expression that is read, in bytes.
pub const MAX_EXPRESSION_LEN: usize = 65536;
/// The deepest nesting of parentheses that is read.
const MAX_DEPTH: usize = 100;

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// A term that this program does not know; a newer git-annex may.
    #[error("the expression holds the unknown term {0:?}")]
    UnknownTerm(String),
    /// A term whose value cannot be read.
    #[error("the expression holds {0:?}, whose value cannot be read")]
    BadValue(String),
    /// The text is too long, or nested too deeply.
    #[error("the expression is too large")]
    TooLarge,
}

/// Reads an expression. An empty one matches anything.
///
/// # Errors
/// [`ParseError`] says what is in the way.
pub fn parse(text: &str, vocabulary: Vocabulary) -> Result<Expression, ParseError> {
    if text.len() > MAX_EXPRESSION_LEN {
        return Err(ParseError::TooLarge);
    }
    let mut parser = Parser { words: words(text).peekable(), vocabulary, depth: 0 };
    parser.chain().map(Expression)
}

/// Words between white space, with each parenthesis as a word of its own.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().flat_map(|word| {
        word.split_inclusive(['(', ')']).flat_map(|part| {
            let cut = part.len() - usize::from(part.ends_with(['(', ')']));
            let (term, parenthesis) = part.split_at(cut);
            [term, parenthesis].into_iter().filter(|word| !word.is_empty())
        })
    })
}

struct Parser<'a, I: Iterator<Item = &'a str>> {
    words: std::iter::Peekable<I>,
    vocabulary: Vocabulary,
    depth: usize,
}

impl<'a, I: Iterator<Item = &'a str>> Parser<'a, I> {
    /// Operands with what joins them, to the closing parenthesis or the end.
    fn chain(&mut self) -> Result<Node, ParseError> {
        let first = self.operand()?;
        let mut rest = Vec::new();
        while let Some(&word) = self.words.peek() {
            let join = match word {
                ")" if self.depth > 0 => break,
                // One that closes nothing.
                ")" => {
                    self.words.next();
                    continue;
                }
                "and" | "or" => {
                    self.words.next();
                    if word == "or" { Join::Or } else { Join::And }
                }
                _ => Join::And,
            };
            rest.push((join, self.operand()?));
        }
        Ok(match rest.is_empty() {
            true => first,
            false => Node::Chain(Box::new(first), rest),
        })
    }

    fn operand(&mut self) -> Result<Node, ParseError> {
        let mut negated = false;
        while self.words.next_if_eq(&"not").is_some() {
            negated = !negated;
        }
        let node = match self.words.peek() {
            None | Some(&("and" | "or" | ")")) => Node::Anything,
            Some(&"(") => self.parentheses()?,
            Some(&word) => {
                self.words.next();
                Node::Term(Term::parse(word, self.vocabulary)?)
            }
        };
        Ok(if negated { Node::Not(Box::new(node)) } else { node })
    }

    fn parentheses(&mut self) -> Result<Node, ParseError> {
        if self.depth == MAX_DEPTH {
            return Err(ParseError::TooLarge);
        }
        self.words.next();
        self.depth += 1;
        let inside = self.chain()?;
        self.depth -= 1;
        self.words.next_if_eq(&")");
        Ok(inside)
    }
}
