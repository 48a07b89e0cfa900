//! The problems of a file, each with the line that it is about.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use nsnet::lab::Problem;

use super::{super::Style, BadLab};

/// All problems, and how many there are.
pub fn text(bad: &BadLab, style: Style) -> String {
    let source = harmless(&bad.text);
    let each = bad.problems.iter().map(|problem| one(problem, &bad.file, &source, style) + "\n\n");
    let count = match bad.problems.len() {
        1 => "1 problem".to_owned(),
        count => format!("{count} problems"),
    };
    format!("{}{}: {count}\n", each.collect::<String>(), bad.file)
}

fn one(problem: &Problem, file: &str, source: &str, style: Style) -> String {
    let span = problem.span.clone();
    let snippet = Snippet::source(source).path(file).annotation(AnnotationKind::Primary.span(first_line(source, span)));
    let mut report = Level::ERROR.primary_title(problem.message.as_str()).element(snippet);
    if let Some(hint) = &problem.hint {
        report = report.element(Level::HELP.message(hint.as_str()));
    }
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    renderer.render(&[report])
}

/// A table in braces over many lines is meant by its first.
fn first_line(source: &str, span: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let length = source[span.clone()].lines().next().map_or(0, str::len);
    span.start..span.start + length
}

/// The text with nothing in it that a terminal would act on; every other byte stays in its place.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let acts = nsnet::name::escaped(c.encode_utf8(&mut [0; 4]).as_bytes()).len() > c.len_utf8() && c != '\\';
        match c {
            '\n' | '\t' | '\r' => safe.push(c),
            _ if acts => safe.extend(std::iter::repeat_n('?', c.len_utf8())),
            _ => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_takes_as_many_bytes_and_does_nothing() {
        let text = "a\\\t\n\x1b[2J\u{85}\u{202e}ä";
        assert_eq!(harmless(text), "a\\\t\n?[2J?????ä");
        assert_eq!(harmless(text).len(), text.len());
    }
}
