//! Globs as git-annex's expressions have them: `*` matches anything, `/` too, `?` one character,
//! `[abc]`, `[a-z]` and `[!abc]` one of these. Everything else stands for itself.
//!
//! A matcher of its own, because those at hand treat `/`, braces, backslashes or names that are not
//! UTF-8 differently. Matching costs at most the product of both lengths.

/// A compiled glob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    tokens: Vec<Token>,
    fold_case: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Any,
    One,
    Set { negated: bool, ranges: Vec<(u32, u32)> },
    Exactly(u32),
}

/// What a byte that is no UTF-8 counts as: a character of its own, unlike every other.
const INVALID: u32 = 0xdc00;

impl Glob {
    /// Compiles a glob that minds case. None when a `[` has no end, which git-annex refuses.
    pub fn new(text: &str) -> Option<Glob> {
        Glob::compile(text, false)
    }

    /// Compiles a glob that does not mind case.
    pub fn ignoring_case(text: &str) -> Option<Glob> {
        Glob::compile(text, true)
    }

    /// Whether the whole of `name` matches.
    pub fn matches(&self, name: &[u8]) -> bool {
        let name = characters(name, self.fold_case);
        let (mut token, mut at) = (0, 0);
        // Where to go on after the last `*` when what follows does not match: one character on.
        let mut retry: Option<(usize, usize)> = None;
        while at < name.len() {
            match self.tokens.get(token) {
                Some(Token::Any) => {
                    token += 1;
                    retry = Some((token, at));
                }
                Some(one) if one.takes(name[at]) => {
                    token += 1;
                    at += 1;
                }
                _ => match &mut retry {
                    Some((after, from)) => {
                        *from += 1;
                        (token, at) = (*after, *from);
                    }
                    None => return false,
                },
            }
        }
        self.tokens[token..].iter().all(|rest| *rest == Token::Any)
    }

    fn compile(text: &str, fold_case: bool) -> Option<Glob> {
        let characters = characters(text.as_bytes(), fold_case);
        let mut rest = &characters[..];
        let mut tokens = Vec::new();
        while let Some((&c, after)) = rest.split_first() {
            rest = after;
            tokens.push(match char::from_u32(c) {
                Some('*') => Token::Any,
                Some('?') => Token::One,
                Some('[') => {
                    let (set, after) = set(rest)?;
                    rest = after;
                    set
                }
                _ => Token::Exactly(c),
            });
        }
        Some(Glob { tokens, fold_case })
    }
}

impl Token {
    fn takes(&self, c: u32) -> bool {
        match self {
            Token::Any | Token::One => true,
            Token::Exactly(own) => *own == c,
            Token::Set { negated, ranges } => {
                let inside = ranges.iter().any(|&(from, to)| (from..=to).contains(&c));
                inside != *negated
            }
        }
    }
}

/// Reads a set after its `[`, and gives what follows its `]`. A `]` at the start is a member.
fn set(text: &[u32]) -> Option<(Token, &[u32])> {
    let is = |c: Option<&u32>, what: char| c == Some(&u32::from(what));
    let negated = is(text.first(), '!') || is(text.first(), '^');
    let members = &text[usize::from(negated)..];
    let end = members.iter().skip(1).position(|&c| c == u32::from(']'))? + 1;
    let (mut inside, after) = (&members[..end], &members[end + 1..]);
    let mut ranges = Vec::new();
    while let Some((&from, rest)) = inside.split_first() {
        if is(rest.first(), '-') && rest.len() > 1 {
            ranges.push((from, rest[1]));
            inside = &rest[2..];
        } else {
            ranges.push((from, from));
            inside = rest;
        }
    }
    Some((Token::Set { negated, ranges }, after))
}

fn characters(bytes: &[u8], fold_case: bool) -> Vec<u32> {
    let mut characters = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if fold_case {
                characters.extend(c.to_lowercase().map(u32::from));
            } else {
                characters.push(u32::from(c));
            }
        }
        characters.extend(chunk.invalid().iter().map(|&b| INVALID + u32::from(b)));
    }
    characters
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, name: &str) -> bool {
        Glob::new(glob).unwrap().matches(name.as_bytes())
    }

    #[test]
    fn as_git_annex_does() {
        for glob in [
            "*.txt",
            "dir/?.txt",
            "dir/[a-c].txt",
            "*",
            "dir/*",
            "*/a.txt",
            "*/*",
            "dir/a.txt",
            "d*a*t",
            "dir/a.txt*",
        ] {
            assert!(matches(glob, "dir/a.txt"), "{glob}");
        }
        for glob in [
            "*.TXT",
            "a.txt",
            "dir/[!a-c].txt",
            "dir/[^a-c].txt",
            "dir/\\a.txt",
            "",
            "?",
            "dir/a.txt?",
            "*/archive/*",
        ] {
            assert!(!matches(glob, "dir/a.txt"), "{glob}");
        }
        assert!(Glob::new("dir/[a").is_none() && Glob::new("[").is_none() && Glob::new("[]").is_none());
    }

    #[test]
    fn characters_not_bytes() {
        assert!(matches("?.mp3", "é.mp3") && matches("[è-ê]", "é") && matches("[]a]", "]"));
        assert!(Glob::new("?a").unwrap().matches(b"\xffa"));
        assert!(!Glob::new("ÿa").unwrap().matches(b"\xffa"));
        assert!(matches("[a-]", "-") && matches("[!a]", "b"));
    }

    #[test]
    fn case_can_be_ignored() {
        let glob = Glob::ignoring_case("É*Z").unwrap();
        assert!(glob.matches("éyz".as_bytes()));
    }

    #[test]
    fn many_stars_end_in_time() {
        let glob = Glob::new(&"a*".repeat(200)).unwrap();
        assert!(!glob.matches(&[vec![b'a'; 4000], vec![b'b']].concat()[..199]));
        assert!(!Glob::new(&("*a".repeat(200) + "b")).unwrap().matches(&vec![b'a'; 4000]));
    }
}
