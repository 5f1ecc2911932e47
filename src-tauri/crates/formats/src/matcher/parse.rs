//! Text to expressions.

use super::{Expression, Join, Node, Term, Vocabulary};

/// The longest expression that is read, in bytes.
pub const MAX_EXPRESSION_LEN: usize = 65536;
/// The deepest nesting that is read.
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
    let mut parser = Parser { words: words(text).peekable(), vocabulary, open: 0, depth: 0 };
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
    /// Parentheses that are open.
    open: usize,
    depth: usize,
}

impl<'a, I: Iterator<Item = &'a str>> Parser<'a, I> {
    /// Operands with what joins them, to the closing parenthesis or the end.
    fn chain(&mut self) -> Result<Node, ParseError> {
        let first = self.operand()?;
        let mut rest = Vec::new();
        while let Some(&word) = self.words.peek() {
            let join = match word {
                ")" if self.open > 0 => break,
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
            None | Some(&")") => Node::Anything,
            Some(&join @ ("and" | "or")) => self.operand_that_starts_with(join)?,
            Some(&"(") => self.parentheses()?,
            Some(&word) => {
                self.words.next();
                Node::Term(Term::parse(word, self.vocabulary)?)
            }
        };
        Ok(if negated { Node::Not(Box::new(node)) } else { node })
    }

    /// An operand in whose place an operator stands is "anything", joined by that to the next one.
    fn operand_that_starts_with(&mut self, join: &str) -> Result<Node, ParseError> {
        self.words.next();
        let next = self.nested(Self::operand)?;
        Ok(if join == "or" { Node::Anything } else { next })
    }

    fn parentheses(&mut self) -> Result<Node, ParseError> {
        self.words.next();
        self.open += 1;
        let inside = self.nested(Self::chain)?;
        self.open -= 1;
        self.words.next_if_eq(&")");
        Ok(inside)
    }

    /// Reads a part within a part, unless that goes too deep for the stack.
    fn nested(&mut self, part: fn(&mut Self) -> Result<Node, ParseError>) -> Result<Node, ParseError> {
        if self.depth == MAX_DEPTH {
            return Err(ParseError::TooLarge);
        }
        self.depth += 1;
        let node = part(self)?;
        self.depth -= 1;
        Ok(node)
    }
}
