//! A Rust file as a row of tokens: enough to tell code from comments and literals, and a path
//! from a word that looks like one.

/// A word, `::`, or one character of punctuation; and the line it stands in.
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

impl Token {
    pub(crate) fn is_word(&self) -> bool {
        self.text.starts_with(|c: char| c == '_' || c.is_alphanumeric())
    }
}

/// The token's text, empty past the end.
pub(crate) fn text_at(tokens: &[Token], at: usize) -> &str {
    tokens.get(at).map_or("", |token| token.text.as_str())
}

/// The code of a file without its comments, and without the text inside its literals.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let from = at;
        at = skipped(&chars, at);
        if at == from {
            let word = |c: &char| *c == '_' || c.is_alphanumeric();
            at += chars[at..].iter().take_while(|c| word(c)).count();
            if at == from {
                at += if chars[at..].starts_with(&[':', ':']) { 2 } else { 1 };
            }
            let text: String = chars[from..at].iter().collect();
            if !text.trim().is_empty() {
                tokens.push(Token { line, text });
            }
        }
        line += chars[from..at].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// The end of the comment or literal that starts at `at`; `at` itself where none does.
fn skipped(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let after_word = at > 0 && (chars[at - 1] == '_' || chars[at - 1].is_alphanumeric());
    if rest.starts_with(&['/', '/']) {
        return at + rest.iter().take_while(|c| **c != '\n').count();
    }
    if rest.starts_with(&['/', '*']) {
        return at + block_comment(rest);
    }
    // `r"`, `r#"`, `br"` and the like; after a word's letter it is the end of that word.
    let prefix = rest.iter().take_while(|c| matches!(c, 'b' | 'c')).count().min(1);
    if !after_word && rest.get(prefix) == Some(&'r') {
        let hashes = rest[prefix + 1..].iter().take_while(|c| **c == '#').count();
        if rest.get(prefix + 1 + hashes) == Some(&'"') {
            let body = prefix + 2 + hashes;
            let end: Vec<char> = std::iter::once('"').chain(vec!['#'; hashes]).collect();
            let length =
                rest[body..].windows(end.len()).take_while(|window| *window != end).count();
            return (at + body + length + end.len()).min(chars.len());
        }
    }
    match rest[0] {
        '"' => at + quoted(rest, '"'),
        // A lifetime has no closing quote after its first character.
        '\'' if rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'') => at + quoted(rest, '\''),
        _ => at,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with(&['/', '*']) {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(&['*', '/']) {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of a literal in `quote`s, both included.
fn quoted(rest: &[char], quote: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}
