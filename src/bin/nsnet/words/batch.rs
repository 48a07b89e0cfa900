//! A batch: command lines of a file, in words as ip splits them.

use std::{
    ffi::OsString,
    io::{self, BufRead},
    os::unix::ffi::OsStringExt,
};

use super::Misuse;

/// A command of a batch.
pub struct Line {
    /// Of its last line, as ip counts, from 1.
    pub number: usize,
    pub words: Result<Vec<OsString>, Misuse>,
}

/// The commands of a batch: what is empty, or a comment, is left out.
pub struct Lines<R> {
    from: R,
    number: usize,
}

impl<R: BufRead> Lines<R> {
    pub fn new(from: R) -> Self {
        Self { from, number: 0 }
    }

    /// One command: a line, and those that it goes on in behind a backslash; `None` at the end.
    fn read_command(&mut self) -> io::Result<Option<Result<Vec<u8>, Misuse>>> {
        let mut command = Vec::new();
        let mut begun = false;
        loop {
            let mut line = Vec::new();
            if self.from.read_until(b'\n', &mut line)? == 0 {
                let cut = || Err(Misuse("the line ends with a backslash, and no line follows".into()));
                return Ok(begun.then(cut));
            }
            self.number += 1;
            let comment = line.iter().position(|&b| b == b'#');
            line.truncate(comment.unwrap_or(line.len()));
            let goes_on = line.ends_with(b"\\\n");
            line.truncate(line.len() - if goes_on { 2 } else { 0 });
            command.extend(line);
            begun = true;
            if !goes_on {
                return Ok(Some(Ok(command)));
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let command = match self.read_command() {
                Ok(command) => command?,
                Err(e) => return Some(Err(e)),
            };
            let words = command.and_then(|command| split(&command));
            if !words.as_ref().is_ok_and(Vec::is_empty) {
                return Some(Ok(Line { number: self.number, words }));
            }
        }
    }
}

/// Words are split at blanks; one that begins with a quote ends at the next.
fn split(line: &[u8]) -> Result<Vec<OsString>, Misuse> {
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let mut words = Vec::new();
    let mut left = line;
    loop {
        left = &left[left.iter().position(|b| !blank(b)).unwrap_or(left.len())..];
        let Some(&first) = left.first() else { return Ok(words) };
        let word;
        if matches!(first, b'\'' | b'"') {
            let rest = &left[1..];
            if !rest.contains(&first) {
                return Err(Misuse("a word that begins with a quote does not end with one".into()));
            }
            (word, left) = cut(rest, |&b| b == first);
        } else {
            (word, left) = cut(left, blank);
        }
        words.push(OsString::from_vec(word.to_vec()));
    }
}

/// What is before the first byte that ends a word, and what is behind it.
fn cut(bytes: &[u8], ends: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(ends).unwrap_or(bytes.len());
    (&bytes[..at], bytes.get(at + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<(usize, Vec<String>)> {
        let word = |word: OsString| word.into_string().unwrap();
        let line = |line: io::Result<Line>| {
            let line = line.unwrap();
            (line.number, line.words.unwrap().into_iter().map(word).collect())
        };
        Lines::new(text.as_bytes()).map(line).collect()
    }

    #[test]
    fn words_are_split_as_ip_splits_them() {
        let text = "a  b\tc\r\n# all\n\nd 'e f' \"g'h\" i'j k# l\nm \\\n n\\\n o\n'' p\nlast";
        let expected = [
            (1, vec!["a", "b", "c"]),
            (4, vec!["d", "e f", "g'h", "i'j", "k"]),
            (7, vec!["m", "n", "o"]),
            (8, vec!["", "p"]),
            (9, vec!["last"]),
        ];
        let expected = expected.map(|(at, words)| (at, words.into_iter().map(str::to_owned).collect::<Vec<_>>()));
        assert_eq!(lines(text), expected);
    }

    #[test]
    fn what_does_not_end_is_an_error_of_its_line() {
        for text in ["a \\\n", "\n\\\n", "a 'b\n"] {
            let line = Lines::new(text.as_bytes()).next().unwrap().unwrap();
            assert!(line.words.is_err(), "{text:?}");
        }
    }
}
