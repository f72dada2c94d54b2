//! The words of a script's text: what is refused before Luau sees it, and the one rewriting that keeps the order of tables out
//! of results.
//!
//! The text has been through Luau's own parser before (see [`crate::compile`]), so that only valid programs have to be read
//! rightly here. What is read here and nowhere else in Luau's front end:
//! 1. `for … in … do` becomes `for … in __each(…) do`, which turns a bare table into the host's ordered `pairs`. Luau would
//!    walk its hash part in an order that depends on addresses where keys are tables.
//! 2. `^` is refused: `pow` of two C libraries differ in the last bit.
//! 3. The number of operators is bounded: a step of the interpreter between two looks at the clock may take a quarter of a
//!    millisecond when its operands are as long as the memory limit lets them be.

/// Operators in a script, at most.
pub(crate) const OPERATORS_MAX: usize = 1_000;
/// The name of the function that for-in loops are sent through.
pub(crate) const EACH: &str = "__each";

/// A word of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// What it is.
    pub(crate) what: What,
    /// The text itself.
    pub(crate) text: &'a str,
    /// Where it begins, in bytes.
    pub(crate) at: usize,
}

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// A name or a keyword.
    Name,
    /// A number.
    Number,
    /// A string, or the piece of an interpolated one between two expressions.
    Text,
    /// Anything else: operators, brackets, commas.
    Sign,
}

/// What is wrong with a text, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// A character that no text has: control characters, a carriage return on its own.
    Control(usize),
    /// `^` or `^=`.
    Power(usize),
    /// The host's own name.
    Reserved(usize),
    /// A function that stands bare between `in` and `do`.
    BareFunction(usize),
    /// Too many operators; how many.
    Operators(usize),
}

/// Line and column of a byte, both from 1; the column counts characters.
pub(crate) fn place(source: &str, at: usize) -> (u32, u32) {
    let before = source.get(..at).unwrap_or(source);
    let line = before.matches('\n').count();
    let start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
    let column = before.get(start..).unwrap_or_default().chars().count();
    let number = |from_nought: usize| u32::try_from(from_nought.saturating_add(1)).unwrap_or(u32::MAX);
    (number(line), number(column))
}

/// Splits a text into its words; comments and blanks are left out.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut reader = Reader {
        source,
        at: 0,
        braces: Vec::new(),
        found: Vec::new(),
    };
    while reader.step() {}
    reader.found
}

/// Checks a text and makes its loops safe.
///
/// # Errors
/// Every flaw of the text.
pub(crate) fn guarded(source: &str) -> Result<String, Vec<Flaw>> {
    if let Some(at) = control(source) {
        return Err(vec![Flaw::Control(at)]);
    }
    let tokens = tokens(source);
    let mut flaws = Vec::new();
    let mut operators = 0usize;
    let mut inserts: Vec<(usize, &str)> = Vec::new();
    for (number, token) in tokens.iter().enumerate() {
        match (token.what, token.text) {
            (What::Sign, "^" | "^=") => flaws.push(Flaw::Power(token.at)),
            (What::Name, EACH) => flaws.push(Flaw::Reserved(token.at)),
            (What::Name, "in") => match closing_do(tokens.get(number.saturating_add(1)..).unwrap_or_default()) {
                Some(Ok(end)) => {
                    inserts.push((token.at.saturating_add(2), " __each("));
                    inserts.push((end, ")"));
                }
                Some(Err(at)) => flaws.push(Flaw::BareFunction(at)),
                None => {}
            },
            (What::Sign, sign) if is_operator(sign) => operators = operators.saturating_add(1),
            _ => {}
        }
    }
    if operators > OPERATORS_MAX {
        flaws.push(Flaw::Operators(operators));
    }
    if flaws.is_empty() {
        Ok(with(source, inserts))
    } else {
        Err(flaws)
    }
}

/// The first character that no text has.
fn control(source: &str) -> Option<usize> {
    let bytes = source.as_bytes();
    bytes.iter().enumerate().position(|(at, byte)| match byte {
        b'\n' | b'\t' => false,
        b'\r' => bytes.get(at.saturating_add(1)) != Some(&b'\n'),
        other => other.is_ascii_control(),
    })
}

/// Where the `do` stands that ends the expressions after `in`: the first outside all brackets. A function's body that stands
/// bare there could hold a `do` of its own.
fn closing_do(after: &[Token<'_>]) -> Option<Result<usize, usize>> {
    let mut depth = 0i32;
    for token in after {
        match (token.what, token.text) {
            (What::Sign, "(" | "{" | "[") => depth = depth.saturating_add(1),
            (What::Sign, ")" | "}" | "]") => depth = depth.saturating_sub(1),
            (What::Name, "function") if depth == 0 => return Some(Err(token.at)),
            (What::Name, "do") if depth == 0 => return Some(Ok(token.at)),
            _ => {}
        }
    }
    None
}

fn is_operator(sign: &str) -> bool {
    sign.starts_with(['+', '-', '*', '/', '%', '<', '>', '~', '#']) && sign != "->"
        || sign.starts_with("..") && sign != "..."
        || sign == "=="
}

/// The text with these pieces put in.
fn with(source: &str, mut inserts: Vec<(usize, &str)>) -> String {
    inserts.sort_by_key(|(at, _)| *at);
    let mut made = String::with_capacity(source.len().saturating_add(inserts.len().saturating_mul(8)));
    let mut from = 0;
    for (at, piece) in inserts {
        made.push_str(source.get(from..at).unwrap_or_default());
        made.push_str(piece);
        from = at;
    }
    made.push_str(source.get(from..).unwrap_or_default());
    made
}

/// Walks over a text.
struct Reader<'a> {
    source: &'a str,
    at: usize,
    /// Open braces: true where one opened an expression within an interpolated string.
    braces: Vec<bool>,
    found: Vec<Token<'a>>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, what: What, length: usize) {
        // Never stands still, and never within a character.
        let mut end = self.at.saturating_add(length.max(1)).min(self.source.len());
        while !self.source.is_char_boundary(end) {
            end = end.saturating_add(1);
        }
        self.found.push(Token {
            what,
            text: self.source.get(self.at..end).unwrap_or_default(),
            at: self.at,
        });
        self.at = end;
    }

    fn step(&mut self) -> bool {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return false;
        };
        if first.is_ascii_whitespace() {
            self.at = self.at.saturating_add(1);
        } else if let Some(comment) = rest.strip_prefix("--") {
            let length = long_bracket(comment).unwrap_or_else(|| comment.find(['\n', '\r']).unwrap_or(comment.len()));
            self.at = self.at.saturating_add(2).saturating_add(length);
        } else if first.is_ascii_alphabetic() || first == '_' {
            self.take(What::Name, run(rest, |c| c.is_ascii_alphanumeric() || c == '_'));
        } else if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            self.take(What::Number, number(rest));
        } else if first == '"' || first == '\'' {
            let body = quoted(&rest[1..], &[first]);
            self.take(What::Text, body.saturating_add(2));
        } else if first == '`' {
            self.interpolated(1);
        } else if let Some(length) = long_bracket(rest) {
            self.take(What::Text, length);
        } else {
            self.sign(first, rest);
        }
        true
    }

    fn sign(&mut self, first: char, rest: &str) {
        const LONG: [&str; 18] = [
            "...", "..=", "//=", "..", "//", "==", "~=", "<=", ">=", "->", "::", "+=", "-=", "*=", "/=", "%=", "^=",
            "||",
        ];
        if first == '{' {
            self.braces.push(false);
        } else if first == '}' && self.braces.pop() == Some(true) {
            self.take(What::Sign, 1);
            self.interpolated(0);
            return;
        }
        let long = LONG.iter().find(|sign| rest.starts_with(**sign));
        self.take(What::Sign, long.map_or(1, |sign| sign.len()));
    }

    /// A piece of an interpolated string, after `skip` bytes of its opening: up to its end or to the next expression, whose
    /// brace counts as a bracket like any other.
    fn interpolated(&mut self, skip: usize) {
        let rest = self.rest();
        let body = quoted(rest.get(skip..).unwrap_or_default(), &['`', '{']);
        let end = skip.saturating_add(body);
        let opens = rest.get(end..).is_some_and(|tail| tail.starts_with('{'));
        let whole = if opens { end } else { end.saturating_add(1) };
        if whole > 0 {
            self.take(What::Text, whole);
        }
        if opens {
            self.braces.push(true);
            self.take(What::Sign, 1);
        }
    }
}

/// The length of what comes before one of these characters, where a backslash takes the next one with it, and `\u` its brace.
fn quoted(text: &str, ends: &[char]) -> usize {
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if ends.contains(&first) {
            break;
        }
        let taken = match rest.strip_prefix('\\') {
            Some(escaped) if escaped.starts_with("u{") => 3,
            Some(escaped) => escaped
                .chars()
                .next()
                .map_or(1, |next| next.len_utf8().saturating_add(1)),
            None => first.len_utf8(),
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    text.len().saturating_sub(rest.len())
}

/// The length of the long string or comment that begins here, with its brackets.
fn long_bracket(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('[')?;
    let equals = run(inner, |c| c == '=');
    if !inner.get(equals..)?.starts_with('[') {
        return None;
    }
    let close = format!("]{}]", "=".repeat(equals));
    let found = text.find(&close).map(|at| at.saturating_add(close.len()));
    Some(found.unwrap_or(text.len()))
}

/// The length of a number, as Luau takes it: digits, an exponent's sign, and whatever letters follow.
fn number(text: &str) -> usize {
    let mut length = run(text, |c| c.is_ascii_digit() || matches!(c, '.' | '_'));
    let tail = text.get(length..).unwrap_or_default();
    if let Some(exponent) = tail.strip_prefix(['e', 'E']) {
        let signed = usize::from(exponent.starts_with(['+', '-']));
        length = length.saturating_add(1).saturating_add(signed);
    }
    let tail = text.get(length..).unwrap_or_default();
    length.saturating_add(run(tail, |c| c.is_ascii_alphanumeric() || c == '_'))
}

fn run(text: &str, holds: impl Fn(char) -> bool) -> usize {
    text.find(|c| !holds(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loops(source: &str) -> String {
        guarded(source).unwrap_or_else(|flaws| format!("{flaws:?}"))
    }

    #[test]
    fn every_loop_over_expressions_goes_through_the_host() {
        for (source, wanted) in [
            ("for k in t do end", "for k in __each( t )do end"),
            ("for k, v in pairs(t) do end", "for k, v in __each( pairs(t) )do end"),
            ("for k in t--[[do]]do end", "for k in __each( t--[[do]])do end"),
            ("for k in t -- do\ndo end", "for k in __each( t -- do\n)do end"),
            (
                "for k in f(function() do end end)do end",
                "for k in __each( f(function() do end end))do end",
            ),
            ("for k in {[\"do\"]=1}do end", "for k in __each( {[\"do\"]=1})do end"),
            ("for k in t[ [[do]] ]do end", "for k in __each( t[ [[do]] ])do end"),
            ("for k in t[1]['in']do end", "for k in __each( t[1]['in'])do end"),
            ("for i = 1, 2 do end", "for i = 1, 2 do end"),
            (
                "for k in f(function() for x in y do end end) do end",
                "for k in __each( f(function() for x in __each( y )do end end) )do end",
            ),
            (
                "local s = `{(function() for x in y do end end)()}`",
                "local s = `{(function() for x in __each( y )do end end)()}`",
            ),
        ] {
            assert_eq!(loops(source), wanted);
        }
    }

    #[test]
    fn what_stands_in_texts_and_comments_is_no_code() {
        for source in [
            "local s = 'for k in t do'",
            "local s = \"a \\\" for k in t do\"",
            "local s = 'a \\z\n for k in t do'",
            "local s = [==[ ]] for k in t do ]==]",
            "-- for k in t do",
            "--[==[ ]] for k in t do ]==]",
            "--[= not long\nlocal x = 1",
            "local s = `for k in t do \\u{48} \\{ {x} for k in t do`",
            "local s = `{ {1, 2} } in do { `{x} in do` } in do`",
            "local s = 'ü in do' .. \"\\'\" .. '\\\\'",
            "local n = 0x1e+5 - 1e+5 - 1.5e-3 - .5 - 1_000",
        ] {
            assert_eq!(loops(source), source);
        }
    }

    #[test]
    fn numbers_end_where_luaus_end() {
        let words = |source| tokens(source).into_iter().map(|token| token.text).collect::<Vec<_>>();
        assert_eq!(words("0x1e+5"), ["0x1e", "+", "5"]);
        assert_eq!(words("1e+5in"), ["1e+5in"]);
        assert_eq!(words("a.b..c...d"), ["a", ".", "b", "..", "c", "...", "d"]);
        assert_eq!(
            words("`a{b}c{`d`}e`"),
            ["`a", "{", "b", "}", "c", "{", "`d`", "}", "e`"]
        );
    }

    #[test]
    fn flaws_are_found_where_they_stand() {
        assert_eq!(guarded("local a = b ^ 2"), Err(vec![Flaw::Power(12)]));
        assert_eq!(guarded("a ^= 2"), Err(vec![Flaw::Power(2)]));
        assert_eq!(guarded("local __each = 1"), Err(vec![Flaw::Reserved(6)]));
        assert_eq!(
            guarded("for x in function() end do end"),
            Err(vec![Flaw::BareFunction(9)])
        );
        assert_eq!(guarded("a\0"), Err(vec![Flaw::Control(1)]));
        assert_eq!(guarded("a\rb"), Err(vec![Flaw::Control(1)]));
        assert!(guarded("a\r\nb").is_ok());
        assert_eq!(guarded(&"a = -a\n".repeat(1_001)), Err(vec![Flaw::Operators(1_001)]));
        assert_eq!(place("一\n二三", "一\n二".len()), (2, 2));
    }
}
